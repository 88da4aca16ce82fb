#pragma once

#include <rvm/backend/cuda/kernels/norms.cuh>

/// Numbers to Float8, with a scale for each row or one for all. A block takes a row and keeps it in registers.
///
/// Floor: bytes moved / memory's bandwidth, t + 1 bytes a number.
namespace rvm::detail::cuda {

inline constexpr int kQuantiseWarps = 8;
inline constexpr int kQuantiseThreads = kQuantiseWarps * kWarpSize;

/// Reads x.
template <class T>
struct TypedReader {
  Rows<const T> x;

  template <int kVector>
  RVM_DEVICE void first(std::size_t row, int column, float (&values)[kVector]) const {
    load(x.row(row) + column, values);
  }
  template <int kVector>
  RVM_DEVICE void again(std::size_t row, int column, float (&values)[kVector]) const {
    first(row, column, values);
  }
};

/// Reads gelu(x + bias).
template <class T>
struct GeluReader {
  Rows<const T> x;
  const float* bias;

  template <int kVector>
  RVM_DEVICE void first(std::size_t row, int column, float (&values)[kVector]) const {
    float shift[kVector] = {};
    load(x.row(row) + column, values);
    if (bias != nullptr) load(bias + column, shift);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = gelu(values[i] + shift[i]);
  }
  template <int kVector>
  RVM_DEVICE void again(std::size_t row, int column, float (&values)[kVector]) const {
    first(row, column, values);
  }
};

/// The largest of all threads' values; every thread of the block calls it once.
RVM_DEVICE float block_max(float value) {
  auto* const largest = reinterpret_cast<float*>(shared_memory());
  value = warp_max(value);
  if (thread_index() % kWarpSize == 0) largest[thread_index() / kWarpSize] = value;
  sync_block();
  RVM_UNROLL
  for (int warp = 0; warp < kQuantiseWarps; ++warp) value = fmaxf(value, largest[warp]);
  return value;
}

template <int kHeld, int kVector, class Reader>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(kQuantiseThreads, 1) quantise_rows(int width, Reader reader, Float8Writer writer) {
  const std::size_t row = block_index_x();
  TeamRow<kQuantiseThreads, kHeld, kVector, Reader> x(reader, row, width);
  float largest = 0.0F;
  x.first([&](int, float(&values)[kVector]) {
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) largest = fmaxf(largest, fabsf(values[i]));
  });
  float row_scale = 0.0F;
  if (writer.scale.per_row != nullptr) {
    row_scale = float8_scale(block_max(largest));
    if (thread_index() == 0) writer.scale.per_row[row] = row_scale;
  } else {
    row_scale = *writer.scale.fixed;
  }
  x.again([&](int column, float(&values)[kVector]) { writer(row, column, values, row_scale); });
}

/// `wide`: whether everything may be moved in vectors of 4.
template <class Reader>
int launch_quantise(CUstream_st* queue, std::size_t rows, std::size_t width, bool wide, const Reader& reader,
                    const Float8Writer& writer) {
  if (rows == 0 || width == 0) return 0;
  const auto go = [&](auto kernel) {
    return launch(kernel, {rows}, kQuantiseThreads, kQuantiseWarps * sizeof(float), queue, static_cast<int>(width),
                  reader, writer);
  };
  wide = wide && width % 4 == 0 && aligned_for(writer.y, 4);
  const std::size_t vectors = ceil_divide(width, 4 * kQuantiseThreads);
  if (wide && vectors <= 2) return go(quantise_rows<2, 4, Reader>);
  if (wide && vectors <= 6) return go(quantise_rows<6, 4, Reader>);
  return go(quantise_rows<0, 1, Reader>);
}

}  // namespace rvm::detail::cuda
