#pragma once

/// What kernels are written in: the few things of a GPU that they use, under names of our own, so that the same source
/// also compiles as plain C++ where the tests execute it on the CPU, thread by thread.
///
///   RVM_KERNEL, RVM_LAUNCH_BOUNDS(threads, blocks), RVM_DEVICE       what a function is
///   RVM_UNROLL                                      before a loop whose every turn becomes code of its own
///   thread_index(), block_index_x(), block_index_y(), block_index_z()
///   shared_memory()                                 the block's dynamic shared memory
///   sync_block(), sync_warp()
///   shuffle_xor(value, mask)                        the value of lane (own ^ mask)
///   copy_async(to, from, valid)                     16 bytes, global -> shared, zeros if not valid
///   commit_async(), wait_async<N>()                 closes a group of copies; waits for all groups but the last N
///   load_matrices(r, row), load_matrices_transposed(r, row)          ldmatrix.x4
///   multiply_add<E>(d, a, b0, b1)                   d += a b, mma.m16n8k16
///   to_float(number), from_float<T>(number), pack<T>(low, high)
///   exp2_approximate(x), raise_flag(flag)
///   launch(kernel, grid, threads, shared_bytes, queue, arguments...) from the host
///
/// Warp operations are of all 32 lanes; blocks are of whole warps.

#include <cstddef>
#include <cstdint>

#include <rvm/backend/cuda/operations.hpp>

namespace rvm::detail::cuda {

inline constexpr int kWarpSize = 32;

/// Blocks of a launch.
struct Grid {
  std::size_t x = 1;
  std::size_t y = 1;
  std::size_t z = 1;
};

}  // namespace rvm::detail::cuda

#ifdef __CUDACC__
#include <rvm/backend/cuda/kernels/hardware.cuh>
#else
#include <cuda_emulation/device.hpp>
#endif

namespace rvm::detail::cuda {

/// A matrix as kernels see it: MatrixView without its sizes.
template <class T>
struct Rows {
  T* data;
  std::size_t stride;

  RVM_DEVICE T* row(std::size_t i) const { return data + i * stride; }
};

template <class T>
Rows<T> rows_of(MatrixView<T> matrix) {
  return {matrix.data, matrix.stride};
}

/// kCount neighbouring numbers, moved as one where that is at most 16 bytes.
template <class T, int kCount>
struct alignas(kCount * sizeof(T)) Vector {
  T values[kCount];
};

template <int kCount, class T>
RVM_DEVICE void load(const T* from, float (&values)[kCount]) {
  const auto vector = *reinterpret_cast<const Vector<T, kCount>*>(from);
  RVM_UNROLL
  for (int i = 0; i < kCount; ++i) values[i] = to_float(vector.values[i]);
}
template <int kCount, class T>
RVM_DEVICE void store(const float (&values)[kCount], T* to) {
  Vector<T, kCount> vector;
  RVM_UNROLL
  for (int i = 0; i < kCount; ++i) vector.values[i] = from_float<T>(values[i]);
  *reinterpret_cast<Vector<T, kCount>*>(to) = vector;
}

/// Whether rows from `address` on, `stride` elements apart, may be moved in vectors of `count`.
template <class T>
bool aligned_for(const T* address, std::size_t stride, std::size_t count) {
  return reinterpret_cast<std::uintptr_t>(address) % (count * sizeof(T)) == 0 && stride % count == 0;
}
template <class T>
bool aligned_for(Rows<T> rows, std::size_t count) {
  return aligned_for(rows.data, rows.stride, count);
}

RVM_DEVICE float warp_sum(float value) {
  RVM_UNROLL
  for (int mask = kWarpSize / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}
/// NaN is passed over.
RVM_DEVICE float warp_max(float value) {
  RVM_UNROLL
  for (int mask = kWarpSize / 2; mask > 0; mask /= 2) value = fmaxf(value, shuffle_xor(value, mask));
  return value;
}

RVM_DEVICE float sigmoid(float x) {
  return 1.0F / (1.0F + expf(-x));
}
/// The tanh approximation: x / 2 (1 + tanh u) = x sigmoid(2 u).
RVM_DEVICE float gelu(float x) {
  return x * sigmoid(2.0F * 0.79788456080286535588F * (x + 0.044715F * x * x * x));
}

constexpr std::size_t ceil_divide(std::size_t n, std::size_t by) {
  return (n + by - 1) / by;
}

}  // namespace rvm::detail::cuda
