// Launchers of operations.hpp: patches, and what is done to numbers one by one.

#include <rvm/backend/cuda/kernels/elements.cuh>
#include <rvm/backend/cuda/kernels/patches.cuh>
#include <rvm/backend/cuda/kernels/quantise.cuh>
#include <rvm/backend/cuda/operations.hpp>

namespace rvm::detail::cuda {

template <class T>
int patches(CUstream_st* queue, const DeviceFrame* frames, std::size_t count, std::size_t height, std::size_t width,
            MatrixView<T> out) {
  const std::size_t grid_rows = height / kPatchSize;
  const std::size_t grid_cols = width / kPatchSize;
  const PatchMap<T> map{frames, grid_rows, grid_cols, rows_of(out)};
  return launch_map(queue, count * (1 + grid_rows * grid_cols), kPatchValues, aligned_for(map.out, 4), map);
}

int repeat_rows(CUstream_st* queue, MatrixView<const float> table, MatrixView<float> x) {
  const RepeatMap map{rows_of(table), table.rows, rows_of(x)};
  return launch_map(queue, x.rows, x.cols, aligned_for(map.table, 4) && aligned_for(map.x, 4), map);
}

template <class From, class To>
int convert(CUstream_st* queue, MatrixView<const From> x, MatrixView<To> y) {
  const ConvertMap<From, To> map{rows_of(x), rows_of(y)};
  return launch_map(queue, x.rows, x.cols, aligned_for(map.x, 4) && aligned_for(map.y, 4), map);
}

template <class From>
int convert(CUstream_st* queue, MatrixView<const From> x, MatrixView<Float8> y, Float8Scale scale) {
  const TypedReader<From> reader{rows_of(x)};
  return launch_quantise(queue, x.rows, x.cols, aligned_for(reader.x, 4), reader, Float8Writer{rows_of(y), scale});
}

template <class T>
int finish_product(CUstream_st* queue, MatrixView<T> y, const T* bias, bool through_gelu) {
  if (bias == nullptr && !through_gelu) return 0;
  const FinishMap<T> map{rows_of(y), bias, through_gelu};
  return launch_map(queue, y.rows, y.cols, aligned_for(map.y, 4) && aligned_for(bias, 0, 4), map);
}

template <class T>
int gelu(CUstream_st* queue, MatrixView<const T> x, const float* bias, MatrixView<Float8> y, Float8Scale scale) {
  const GeluReader<T> reader{rows_of(x), bias};
  const bool wide = aligned_for(reader.x, 4) && aligned_for(bias, 0, 4);
  return launch_quantise(queue, x.rows, x.cols, wide, reader, Float8Writer{rows_of(y), scale});
}

int find_not_finite(CUstream_st* queue, MatrixView<const float> x, std::uint32_t* flag) {
  const FiniteMap map{rows_of(x), flag};
  return launch_map(queue, x.rows, x.cols, aligned_for(map.x, 4), map);
}

#define RVM_FOR(T)                                                                                              \
  template int patches(CUstream_st*, const DeviceFrame*, std::size_t, std::size_t, std::size_t, MatrixView<T>); \
  template int convert(CUstream_st*, MatrixView<const T>, MatrixView<Float8>, Float8Scale);                     \
  template int finish_product(CUstream_st*, MatrixView<T>, const T*, bool);                                     \
  template int gelu(CUstream_st*, MatrixView<const T>, const float*, MatrixView<Float8>, Float8Scale);
RVM_FOR(float)
RVM_FOR(bfloat16)
RVM_FOR(float16)
#undef RVM_FOR

template int convert(CUstream_st*, MatrixView<const float>, MatrixView<bfloat16>);
template int convert(CUstream_st*, MatrixView<const float>, MatrixView<float16>);
template int convert(CUstream_st*, MatrixView<const bfloat16>, MatrixView<float>);
template int convert(CUstream_st*, MatrixView<const float16>, MatrixView<float>);

}  // namespace rvm::detail::cuda
