#pragma once

// Part of rvm/backend/cuda/kernels/device.cuh: its words on the CPU, over grid.hpp.

#include <math.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <rvm/backend/cuda/operations.hpp>

#include "cuda_emulation/grid.hpp"

#define RVM_KERNEL
#define RVM_LAUNCH_BOUNDS(threads, blocks)
#define RVM_DEVICE inline
#define RVM_UNROLL

namespace rvm::detail::cuda {

namespace emulation = ::cuda_emulation;
using emulation::Where;

using ::exp2f;
using ::expf;
using ::fabsf;
using ::fmaxf;
using ::sqrtf;

inline int thread_index() {
  return emulation::index().thread;
}
inline std::size_t block_index_x() {
  return emulation::index().x;
}
inline std::size_t block_index_y() {
  return emulation::index().y;
}
inline std::size_t block_index_z() {
  return emulation::index().z;
}
inline unsigned char* shared_memory() {
  return emulation::shared_memory();
}

inline void sync_block(const Where& where = Where::current()) {
  emulation::meet_block(where);
}
inline void sync_warp(const Where& where = Where::current()) {
  emulation::meet_warp(nullptr, nullptr, nullptr, where);
}

inline float shuffle_xor(float value, int mask, const Where& where = Where::current()) {
  struct Argument {
    float value;
    int mask;
  };
  const Argument argument{value, mask};
  float result = 0;
  const auto exchange = [](const void* const* arguments, void* const* results) {
    const auto of = [&](int lane) { return static_cast<const Argument*>(arguments[lane]); };
    for (int lane = 0; lane < kWarpSize; ++lane) *static_cast<float*>(results[lane]) = of(lane ^ of(lane)->mask)->value;
  };
  emulation::meet_warp(exchange, &argument, &result, where);
  return result;
}

inline void copy_async(void* to, const void* from, bool valid, const Where& where = Where::current()) {
  emulation::check_shared(to, 16, where);
  emulation::check_aligned(to, 16, where);
  emulation::check_aligned(from, 16, where);
  emulation::copy_later(to, valid ? from : nullptr, 16);
}
inline void commit_async() {
  emulation::close_copies();
}
template <int kStillRunning>
void wait_async() {
  emulation::wait_for_copies(kStillRunning);
}

namespace emulated {

// ldmatrix.x4: lane 8 m + i gives row i of matrix m, 8 numbers of 16 bits; lane 4 g + t gets numbers 2 t and 2 t + 1 of
// row g of each, or, transposed, of column g.
template <bool kTransposed>
void exchange_matrices(const void* const* arguments, void* const* results) {
  const auto number = [&](int matrix, int row, int column) -> std::uint32_t {
    return (*static_cast<const std::uint16_t* const*>(arguments[8 * matrix + row]))[column];
  };
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const int g = lane / 4;
    const int t = lane % 4;
    auto* const r = static_cast<std::uint32_t*>(results[lane]);
    for (int m = 0; m < 4; ++m) {
      r[m] = kTransposed ? number(m, 2 * t, g) | number(m, 2 * t + 1, g) << 16
                         : number(m, g, 2 * t) | number(m, g, 2 * t + 1) << 16;
    }
  }
}

template <bool kTransposed>
void load_matrices(std::uint32_t (&r)[4], const void* row, const Where& where) {
  emulation::check_shared(row, 16, where);
  emulation::check_aligned(row, 16, where);
  emulation::meet_warp(exchange_matrices<kTransposed>, &row, r, where);
}

struct Factors {
  std::uint32_t a[4];
  std::uint32_t b[2];
};

// mma.m16n8k16, as the PTX manual lays it out.
template <class E>
void multiply_together(const void* const* arguments, void* const* results) {
  const auto number = [](std::uint32_t word, int half) {
    E e;
    e.bits = static_cast<std::uint16_t>(word >> (16 * half));
    return static_cast<float>(e);
  };
  float a[16][16];
  float b[16][8];
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const auto* const factors = static_cast<const Factors*>(arguments[lane]);
    const int group = lane >> 2;
    const int in_group = lane % 4;
    for (int i = 0; i < 8; ++i) {  // a_i: row is group for 0 <= i < 2 and 4 <= i < 6, else group + 8
      const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
      const int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      a[row][column] = number(factors->a[i / 2], i % 2);
    }
    for (int i = 0; i < 4; ++i) {
      const int row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      b[row][group] = number(factors->b[i / 2], i % 2);
    }
  }
  float products[16][8] = {};
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < 16; ++k) {
      for (int column = 0; column < 8; ++column) products[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < kWarpSize; ++lane) {
    for (int i = 0; i < 4; ++i) {
      static_cast<float*>(results[lane])[i] += products[(lane >> 2) + (i < 2 ? 0 : 8)][lane % 4 * 2 + (i & 1)];
    }
  }
}

}  // namespace emulated

inline void load_matrices(std::uint32_t (&r)[4], const void* row, const Where& where = Where::current()) {
  emulated::load_matrices<false>(r, row, where);
}
inline void load_matrices_transposed(std::uint32_t (&r)[4], const void* row, const Where& where = Where::current()) {
  emulated::load_matrices<true>(r, row, where);
}
template <class E>
void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                  const Where& where = Where::current()) {
  const emulated::Factors factors{{a[0], a[1], a[2], a[3]}, {b0, b1}};
  emulation::meet_warp(emulated::multiply_together<E>, &factors, d, where);
}

inline float to_float(float number) {
  return number;
}
inline float to_float(bfloat16 number) {
  return static_cast<float>(number);
}
inline float to_float(float16 number) {
  return static_cast<float>(number);
}

template <class T>
T from_float(float number) {
  return T(number);
}
// Saturates; ties to even; NaN keeps its sign away.
template <>
inline Float8 from_float<Float8>(float number) {
  if (std::isnan(number)) return {0x7f};
  const float magnitude = std::fabs(number);
  const auto sign = static_cast<std::uint8_t>(std::signbit(number) ? 0x80 : 0);
  if (magnitude >= kFloat8Max) return {static_cast<std::uint8_t>(sign | 0x7e)};
  // Steps of 2^-9 below 2^-6, of an eighth of the power of two below it elsewhere.
  const int exponent = magnitude < 0x1p-6F ? -6 : std::ilogb(magnitude);
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 3 - exponent)));
  return {static_cast<std::uint8_t>(sign | (steps + 8 * (exponent + 6)))};
}

template <class T>
std::uint32_t pack(float low, float high) {
  return T(low).bits | static_cast<std::uint32_t>(T(high).bits) << 16;
}

inline float exp2_approximate(float x) {
  return std::exp2(x);
}
inline void raise_flag(std::uint32_t* flag) {
  *flag = 1;
}

template <class... Parameters, class... Arguments>
int launch(void (*kernel)(Parameters...), Grid grid, int threads, std::size_t shared_bytes, CUstream_st* queue,
           Arguments... arguments) {
  return emulation::submit(queue, [=] {
    emulation::run_grid(grid.x, grid.y, grid.z, threads, shared_bytes, [&] { kernel(arguments...); });
  });
}

}  // namespace rvm::detail::cuda
