// Products and their ends as plain kernels.

#include <cstddef>

#include <rvm/backend/cuda/kernels/device.cuh>

#include "plain_product.hpp"

namespace rvm::detail::cuda {

namespace {

constexpr int kPlainTile = 16;
constexpr int kThreads = 256;

// One number of y a thread, a square of them a block.
template <class In, class Out>
__global__ void plain_product(Product p) {
  __shared__ float xs[kPlainTile][kPlainTile];
  __shared__ float ws[kPlainTile][kPlainTile + 1];
  const int tx = thread_index() % kPlainTile;
  const int ty = thread_index() / kPlainTile;
  const std::size_t row = block_index_y() * kPlainTile + ty;
  const std::size_t col = block_index_x() * kPlainTile + tx;
  const std::size_t w_row = block_index_x() * kPlainTile + ty;
  const In* const x = static_cast<const In*>(p.x);
  const In* const w = static_cast<const In*>(p.w);
  float sum = 0;
  for (std::size_t k = 0; k < p.in; k += kPlainTile) {
    const bool inside = k + tx < p.in;
    xs[ty][tx] = inside && row < p.rows ? to_float(x[row * p.x_stride + k + tx]) : 0.0F;
    ws[ty][tx] = inside && w_row < p.out ? to_float(w[w_row * p.in + k + tx]) : 0.0F;
    sync_block();
    for (int i = 0; i < kPlainTile; ++i) sum += xs[ty][i] * ws[tx][i];
    sync_block();
  }
  if (row >= p.rows || col >= p.out) return;
  if (p.x_scales != nullptr) sum *= p.x_scales[row] * p.w_scales[col];
  if (p.bias != nullptr) sum += to_float(static_cast<const Out*>(p.bias)[col]);
  Out* const y = static_cast<Out*>(p.y) + row * p.y_stride + col;
  if (p.gelu) sum = gelu(sum);
  if (p.accumulate) sum += to_float(*y);
  *y = from_float<Out>(sum);
}

// Numbers without structure in [-scale, scale).
template <class T>
__global__ void fill(T* to, std::size_t n, float scale, unsigned seed) {
  const std::size_t step = std::size_t{gridDim.x} * kThreads;
  for (std::size_t i = block_index_x() * kThreads + thread_index(); i < n; i += step) {
    unsigned h = static_cast<unsigned>(i) * 2654435761U + seed;
    h = (h ^ (h >> 15)) * 2246822519U;
    h = (h ^ (h >> 13)) * 3266489917U;
    h ^= h >> 16;
    to[i] = from_float<T>(scale * (static_cast<float>(h >> 8) * 0x1p-23F - 1.0F));
  }
}

// *far = 1 if a number of y is not the one of `expected`, which has no gaps between its rows.
template <class Out>
__global__ void compare(Product p, const Out* expected, float relative, float absolute, unsigned* far) {
  const std::size_t n = p.rows * p.out;
  const std::size_t step = std::size_t{gridDim.x} * kThreads;
  for (std::size_t i = block_index_x() * kThreads + thread_index(); i < n; i += step) {
    const float wanted = to_float(expected[i]);
    const float found = to_float(static_cast<const Out*>(p.y)[i / p.out * p.y_stride + i % p.out]);
    if (!(fabsf(found - wanted) <= relative * fabsf(wanted) + absolute)) *far = 1;
  }
}

// Calls f with a null pointer to the type.
template <class F>
int with_type(Type type, const F& f) {
  switch (type) {
    case Type::kFloat32: return f(static_cast<float*>(nullptr));
    case Type::kBfloat16: return f(static_cast<bfloat16*>(nullptr));
    case Type::kFloat16: return f(static_cast<float16*>(nullptr));
    default: return f(static_cast<Float8*>(nullptr));
  }
}

// Of a launch whose threads take every so many numbers.
Grid blocks_for(std::size_t n) {
  const std::size_t blocks = ceil_divide(n, kThreads);
  return {blocks < 4096 ? blocks : 4096};
}

}  // namespace

int launch_plain(Queue queue, const Product& p) {
  return with_type(p.type, [&]<class In>(In*) {
    return with_type(p.result, [&]<class Out>(Out*) {
      const Grid grid{ceil_divide(p.out, kPlainTile), ceil_divide(p.rows, kPlainTile)};
      return launch(plain_product<In, Out>, grid, kPlainTile * kPlainTile, 0, queue, p);
    });
  });
}

int launch_finish(Queue queue, const Product& p, bool bias, bool gelu) {
  return with_type(p.result, [&]<class Out>(Out* none) {
    if constexpr (sizeof(Out) == 1) {
      return static_cast<int>(cudaErrorInvalidValue);  // Float8 is no result
    } else {
      const MatrixView<Out> y(static_cast<Out*>(p.y), p.rows, p.out, p.y_stride);
      return finish_product<Out>(queue, y, bias ? static_cast<const Out*>(p.bias) : none, gelu);
    }
  });
}

int launch_fill(Queue queue, Type type, void* to, std::size_t n, float scale, unsigned seed) {
  return with_type(type, [&]<class T>(T*) {
    return launch(fill<T>, blocks_for(n), kThreads, 0, queue, static_cast<T*>(to), n, scale, seed);
  });
}

int launch_compare(Queue queue, const Product& p, const void* expected, float relative, float absolute, unsigned* far) {
  return with_type(p.result, [&]<class Out>(Out*) {
    return launch(compare<Out>, blocks_for(p.rows * p.out), kThreads, 0, queue, p, static_cast<const Out*>(expected),
                  relative, absolute, far);
  });
}

}  // namespace rvm::detail::cuda
