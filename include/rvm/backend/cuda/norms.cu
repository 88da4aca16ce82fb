// Launchers of operations.hpp: layer norm and the gates.

#include <rvm/backend/cuda/kernels/norms.cuh>
#include <rvm/backend/cuda/operations.hpp>

namespace rvm::detail::cuda {

template <class T>
int layer_norm(CUstream_st* queue, MatrixView<const float> x, NormParameters norm, MatrixView<T> y) {
  const PlainReader reader{rows_of(x)};
  const PlainWriter<T> writer{rows_of(y)};
  const bool wide = aligned_for(reader.x, 4) && aligned_for(writer.y, 4);
  return launch_norm(queue, x.rows, x.cols, wide, reader, norm, writer);
}

int layer_norm(CUstream_st* queue, MatrixView<const float> x, NormParameters norm, MatrixView<Float8> y,
               Float8Scale scale) {
  const PlainReader reader{rows_of(x)};
  const Float8Writer writer{rows_of(y), scale};
  const bool wide = aligned_for(reader.x, 4) && aligned_for(writer.y, 4);
  return launch_norm(queue, x.rows, x.cols, wide, reader, norm, writer);
}

template <class T>
int reset_gate(CUstream_st* queue, MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> state,
               NormParameters norm, MatrixView<T> out) {
  const PlainReader reader{rows_of(state)};
  const ResetWriter<T> writer{rows_of(a), rows_of(b), rows_of(out)};
  const bool wide =
      aligned_for(reader.x, 4) && aligned_for(writer.a, 4) && aligned_for(writer.b, 4) && aligned_for(writer.out, 4);
  return launch_norm(queue, state.rows, state.cols, wide, reader, norm, writer);
}

int update_gate(CUstream_st* queue, MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> state,
                MatrixView<const float> x, NormParameters norm, MatrixView<float> next) {
  const PlainReader reader{rows_of(x)};
  const UpdateWriter writer{rows_of(a), rows_of(b), rows_of(state), rows_of(next)};
  const bool wide = aligned_for(reader.x, 4) && aligned_for(writer.a, 4) && aligned_for(writer.b, 4) &&
                    aligned_for(writer.state, 4) && aligned_for(writer.next, 4);
  return launch_norm(queue, x.rows, x.cols, wide, reader, norm, writer);
}

#define RVM_FOR(T)                                                                                                 \
  template int layer_norm(CUstream_st*, MatrixView<const float>, NormParameters, MatrixView<T>);                   \
  template int reset_gate(CUstream_st*, MatrixView<const float>, MatrixView<const float>, MatrixView<const float>, \
                          NormParameters, MatrixView<T>);
RVM_FOR(float)
RVM_FOR(bfloat16)
RVM_FOR(float16)
#undef RVM_FOR

}  // namespace rvm::detail::cuda
