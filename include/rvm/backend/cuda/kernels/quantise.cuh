#pragma once

#include <rvm/backend/cuda/kernels/block_row.cuh>
#include <rvm/backend/cuda/kernels/float8.cuh>

/// Numbers to Float8, with a scale for each row or one for all. A block takes a row and keeps it in registers. No model
/// uses it yet: products of Float8 wait for a measurement on a GPU.
///
/// Floor: bytes moved / memory's bandwidth, t + 1 bytes a number.
namespace rvm::detail::cuda {

inline constexpr int kQuantiseThreads = 256;

/// Reads x.
template <class T>
struct TypedReader {
  Rows<const T> x;

  template <int kVector>
  RVM_DEVICE void read(std::size_t row, int column, float (&values)[kVector]) const {
    load(x.row(row) + column, values);
  }
};

/// Reads gelu(x + bias).
template <class T>
struct GeluReader {
  Rows<const T> x;
  const float* bias;

  template <int kVector>
  RVM_DEVICE void read(std::size_t row, int column, float (&values)[kVector]) const {
    float shift[kVector] = {};
    load(x.row(row) + column, values);
    if (bias != nullptr) load(bias + column, shift);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = gelu(values[i] + shift[i]);
  }
};

template <int kHeld, int kVector, class Reader>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(kQuantiseThreads, 1) quantise_rows(int width, Reader reader, Float8Writer writer) {
  const std::size_t row = block_index_x();
  BlockRow<kQuantiseThreads, kHeld, kVector, Reader> x(reader, row, width);
  x.read();
  float largest = 0.0F;
  if (writer.scale.per_row != nullptr) {
    x.pass([&](int, int, float(&values)[kVector]) {
      RVM_UNROLL
      for (int j = 0; j < kVector; ++j) largest = fmaxf(largest, fabsf(values[j]));
    });
    largest = block_max<kQuantiseThreads>(largest, reinterpret_cast<float*>(shared_memory()));
  }
  writer.choose_scale(row, largest);
  x.pass([&](int, int column, float(&values)[kVector]) { writer.write(row, column, values, {}); });
}

/// `wide`: whether everything may be moved in vectors of 4.
template <class Reader>
int launch_quantise(CUstream_st* queue, std::size_t rows, std::size_t width, bool wide, const Reader& reader,
                    const Float8Writer& writer) {
  if (rows == 0 || width == 0) return 0;
  const auto go = [&](auto kernel) {
    constexpr std::size_t kRoom = kQuantiseThreads / kWarpSize * sizeof(float);
    return launch(kernel, {rows}, kQuantiseThreads, kRoom, queue, static_cast<int>(width), reader, writer);
  };
  wide = wide && width % 4 == 0 && aligned_for(writer.y, 4);
  const std::size_t vectors = ceil_divide(width, 4 * kQuantiseThreads);
  if (wide && vectors <= 2) return go(quantise_rows<2, 4, Reader>);
  if (wide && vectors <= 6) return go(quantise_rows<6, 4, Reader>);
  return go(quantise_rows<0, 1, Reader>);
}

}  // namespace rvm::detail::cuda
