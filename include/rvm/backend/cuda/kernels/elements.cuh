#pragma once

#include <rvm/backend/cuda/kernels/device.cuh>

/// What is done to numbers one by one: casts, a product's bias and GELU, copies of a table, the search for numbers that
/// are not finite.
///
/// Floor: bytes moved / memory's bandwidth; bytes a number, t being the size of T:
///   convert  the sizes of both types     finish_product  2 t     repeat_rows  4 (the table stays in the caches)
///   find_not_finite  4
namespace rvm::detail::cuda {

inline constexpr int kElementThreads = 64;

/// map(row, column, kVector) for every vector of a matrix, neighbouring threads taking neighbouring vectors. A block
/// takes a piece of one row; a row has `pieces`.
template <int kVector, class Map>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(kElementThreads, 1) map_elements(std::size_t pieces, int width, Map map) {
  const std::size_t row = block_index_x() / pieces;
  const int piece = static_cast<int>(block_index_x() % pieces);
  const int column = (piece * kElementThreads + thread_index()) * kVector;
  if (column < width) map.template operator()<kVector>(row, column);
}

/// `wide`: whether everything may be moved in vectors of 4.
template <class Map>
int launch_map(CUstream_st* queue, std::size_t rows, std::size_t width, bool wide, const Map& map) {
  if (rows == 0 || width == 0) return 0;
  const auto go = [&](auto kernel, std::size_t vector) {
    const std::size_t pieces = ceil_divide(width, vector * kElementThreads);
    return launch(kernel, {rows * pieces}, kElementThreads, 0, queue, pieces, static_cast<int>(width), map);
  };
  return wide && width % 4 == 0 ? go(map_elements<4, Map>, 4) : go(map_elements<1, Map>, 1);
}

/// y = x
template <class From, class To>
struct ConvertMap {
  Rows<const From> x;
  Rows<To> y;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column) const {
    float values[kVector];
    load(x.row(row) + column, values);
    store(values, y.row(row) + column);
  }
};

/// y += bias, then y = gelu(y)
template <class T>
struct FinishMap {
  Rows<T> y;
  const T* bias;
  bool through_gelu;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column) const {
    float values[kVector];
    float shift[kVector] = {};
    load(static_cast<const T*>(y.row(row)) + column, values);
    if (bias != nullptr) load(bias + column, shift);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = through_gelu ? gelu(values[i] + shift[i]) : values[i] + shift[i];
    store(values, y.row(row) + column);
  }
};

/// x's row i = the table's row i % count
struct RepeatMap {
  Rows<const float> table;
  std::size_t count;
  Rows<float> x;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column) const {
    float values[kVector];
    load(table.row(row % count) + column, values);
    store(values, x.row(row) + column);
  }
};

/// Raises the flag where a number is infinite or NaN.
struct FiniteMap {
  Rows<const float> x;
  std::uint32_t* flag;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column) const {
    constexpr float kLargest = 3.40282346638528859812e+38F;
    float values[kVector];
    load(x.row(row) + column, values);
    bool finite = true;
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) finite = finite && fabsf(values[i]) <= kLargest;
    if (!finite) raise_flag(flag);
  }
};

}  // namespace rvm::detail::cuda
