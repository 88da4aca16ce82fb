// Products and their ends as plain kernels.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <cstddef>

#include "plain_product.hpp"
#include "status.hpp"

namespace rvm::detail::cuda {

namespace {

__device__ float wide(float v) {
  return v;
}
__device__ float wide(__nv_bfloat16 v) {
  return __bfloat162float(v);
}
__device__ float wide(__half v) {
  return __half2float(v);
}
__device__ float wide(__nv_fp8_e4m3 v) {
  return static_cast<float>(v);
}
__device__ void store(float v, float* to) {
  *to = v;
}
__device__ void store(float v, __nv_bfloat16* to) {
  *to = __float2bfloat16_rn(v);
}
__device__ void store(float v, __half* to) {
  *to = __float2half_rn(v);
}
__device__ void store(float v, __nv_fp8_e4m3* to) {
  *to = __nv_fp8_e4m3(v);
}

__device__ float tanh_gelu(float x) {
  return 0.5F * x * (1.0F + tanhf(0.79788456080286536F * (x + 0.044715F * x * x * x)));
}

constexpr int kPlainTile = 16;

// One number of y a thread, a square of them a block.
template <class In, class Out>
__global__ void plain_product(Product p) {
  __shared__ float xs[kPlainTile][kPlainTile];
  __shared__ float ws[kPlainTile][kPlainTile + 1];
  const int tx = static_cast<int>(threadIdx.x);
  const int ty = static_cast<int>(threadIdx.y);
  const std::size_t row = std::size_t{blockIdx.y} * kPlainTile + threadIdx.y;
  const std::size_t col = std::size_t{blockIdx.x} * kPlainTile + threadIdx.x;
  const std::size_t w_row = std::size_t{blockIdx.x} * kPlainTile + threadIdx.y;
  const In* const x = static_cast<const In*>(p.x);
  const In* const w = static_cast<const In*>(p.w);
  float sum = 0;
  for (std::size_t k = 0; k < p.in; k += kPlainTile) {
    const bool inside = k + threadIdx.x < p.in;
    xs[ty][tx] = inside && row < p.rows ? wide(x[row * p.x_stride + k + threadIdx.x]) : 0.0F;
    ws[ty][tx] = inside && w_row < p.out ? wide(w[w_row * p.in + k + threadIdx.x]) : 0.0F;
    __syncthreads();
    for (int i = 0; i < kPlainTile; ++i) sum += xs[ty][i] * ws[tx][i];
    __syncthreads();
  }
  if (row >= p.rows || col >= p.out) return;
  if (p.x_scales != nullptr) sum *= p.x_scales[row] * p.w_scales[col];
  if (p.bias != nullptr) sum += wide(static_cast<const Out*>(p.bias)[col]);
  Out* const y = static_cast<Out*>(p.y) + row * p.y_stride + col;
  if (p.gelu) sum = tanh_gelu(sum);
  if (p.accumulate) sum += wide(*y);
  store(sum, y);
}

// What a product has left to do: y + bias, then GELU.
template <class Out>
__global__ void finish_product(Product p, bool bias, bool gelu) {
  const std::size_t n = p.rows * p.out;
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    const std::size_t col = i % p.out;
    Out* const y = static_cast<Out*>(p.y) + i / p.out * p.y_stride + col;
    float v = wide(*y);
    if (bias) v += wide(static_cast<const Out*>(p.bias)[col]);
    store(gelu ? tanh_gelu(v) : v, y);
  }
}

// Numbers without structure in [-scale, scale).
template <class T>
__global__ void fill(T* to, std::size_t n, float scale, unsigned seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    unsigned h = static_cast<unsigned>(i) * 2654435761U + seed;
    h = (h ^ (h >> 15)) * 2246822519U;
    h = (h ^ (h >> 13)) * 3266489917U;
    h ^= h >> 16;
    store(scale * (static_cast<float>(h >> 8) * 0x1p-23F - 1.0F), to + i);
  }
}

// *far = 1 if a number of y is not the one of `expected`, which has no gaps between its rows.
template <class Out>
__global__ void compare(Product p, const Out* expected, float relative, float absolute, unsigned* far) {
  const std::size_t n = p.rows * p.out;
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    const float wanted = wide(expected[i]);
    const float found = wide(static_cast<const Out*>(p.y)[i / p.out * p.y_stride + i % p.out]);
    if (!(fabsf(found - wanted) <= relative * fabsf(wanted) + absolute)) *far = 1;
  }
}

// Calls f with a null pointer to the type.
template <class F>
void with_type(Type type, const F& f) {
  switch (type) {
    case Type::kFloat32: return f(static_cast<float*>(nullptr));
    case Type::kBfloat16: return f(static_cast<__nv_bfloat16*>(nullptr));
    case Type::kFloat16: return f(static_cast<__half*>(nullptr));
    case Type::kFloat8: return f(static_cast<__nv_fp8_e4m3*>(nullptr));
  }
}

constexpr unsigned kThreads = 256;
unsigned blocks_for(std::size_t n) {
  const std::size_t blocks = (n + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < 4096 ? blocks : 4096);
}

template <class In, class Out>
void launch(Queue queue, const Product& p, In*, Out*) {
  constexpr std::size_t kTile = kPlainTile;
  const dim3 grid(static_cast<unsigned>((p.out + kTile - 1) / kTile),
                  static_cast<unsigned>((p.rows + kTile - 1) / kTile));
  plain_product<In, Out><<<grid, dim3(kPlainTile, kPlainTile), 0, queue>>>(p);
}
template <class Out>
void launch(Queue queue, const Product& p, bool bias, bool gelu, Out*) {
  finish_product<Out><<<blocks_for(p.rows * p.out), kThreads, 0, queue>>>(p, bias, gelu);
}
template <class T>
void launch(Queue queue, T* to, std::size_t n, float scale, unsigned seed) {
  fill<T><<<blocks_for(n), kThreads, 0, queue>>>(to, n, scale, seed);
}
template <class Out>
void launch(Queue queue, const Product& p, const Out* expected, float relative, float absolute, unsigned* far) {
  compare<Out><<<blocks_for(p.rows * p.out), kThreads, 0, queue>>>(p, expected, relative, absolute, far);
}

}  // namespace

int launch_plain(Queue queue, const Product& p) {
  with_type(p.type, [&](auto* in) { with_type(p.result, [&](auto* out) { launch(queue, p, in, out); }); });
  return seen(cudaGetLastError());
}

int launch_finish(Queue queue, const Product& p, bool bias, bool gelu) {
  if (!bias && !gelu) return 0;
  with_type(p.result, [&](auto* out) { launch(queue, p, bias, gelu, out); });
  return seen(cudaGetLastError());
}

int launch_fill(Queue queue, Type type, void* to, std::size_t n, float scale, unsigned seed) {
  with_type(type, [&](auto* t) { launch(queue, static_cast<decltype(t)>(to), n, scale, seed); });
  return seen(cudaGetLastError());
}

int launch_compare(Queue queue, const Product& p, const void* expected, float relative, float absolute, unsigned* far) {
  with_type(p.result, [&](auto* out) {
    const auto* const wanted = static_cast<decltype(out)>(const_cast<void*>(expected));
    launch(queue, p, wanted, relative, absolute, far);
  });
  return seen(cudaGetLastError());
}

}  // namespace rvm::detail::cuda
