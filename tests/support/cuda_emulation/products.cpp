// The products of rvm/backend/cuda/runtime.hpp as plain loops.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include <rvm/backend/cuda/runtime.hpp>
#include <rvm/core/dtype.hpp>

#include "cuda_emulation/grid.hpp"

namespace rvm::detail::cuda {

struct Products {
  std::mutex lock;
  std::set<std::array<std::size_t, 10>> prepared;
};

namespace {

std::array<std::size_t, 10> key_of(const Product& p) {
  return {p.rows,
          p.in,
          p.out,
          static_cast<std::size_t>(p.type),
          static_cast<std::size_t>(p.result),
          p.gelu ? 1U : 0U,
          p.accumulate ? 1U : 0U,
          p.x_stride,
          p.y_stride,
          p.bias != nullptr ? 1U : 0U};
}

float load(const void* data, std::size_t i, Type type) {
  switch (type) {
    case Type::kBfloat16: return static_cast<float>(static_cast<const bfloat16*>(data)[i]);
    case Type::kFloat16: return static_cast<float>(static_cast<const float16*>(data)[i]);
    default: return static_cast<const float*>(data)[i];
  }
}
void store(float value, void* data, std::size_t i, Type type) {
  switch (type) {
    case Type::kBfloat16: static_cast<bfloat16*>(data)[i] = bfloat16(value); break;
    case Type::kFloat16: static_cast<float16*>(data)[i] = float16(value); break;
    default: static_cast<float*>(data)[i] = value; break;
  }
}

float gelu(float x) {
  return 0.5F * x * (1.0F + std::tanh(0.79788456080286536F * (x + 0.044715F * x * x * x)));
}

float dot(const float* a, const float* b, std::size_t n) {
  std::array<float, 16> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= n; i += sums.size()) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  for (std::size_t half = sums.size() / 2; half > 0; half /= 2) {
    for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

void compute(const Product& p) {
  std::vector<float> w(p.out * p.in);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = load(p.w, i, p.type);
  std::vector<float> x(p.in);
  for (std::size_t row = 0; row < p.rows; ++row) {
    for (std::size_t k = 0; k < p.in; ++k) x[k] = load(p.x, row * p.x_stride + k, p.type);
    for (std::size_t col = 0; col < p.out; ++col) {
      float sum = dot(x.data(), w.data() + col * p.in, p.in);
      if (p.bias != nullptr) sum += load(p.bias, col, p.result);
      if (p.gelu) sum = gelu(sum);
      const std::size_t at = row * p.y_stride + col;
      store(p.accumulate ? sum + load(p.y, at, p.result) : sum, p.y, at, p.result);
    }
  }
}

}  // namespace

int make_products(Products** products, bool) {
  *products = new Products;
  return 0;
}
void destroy_products(Products* products) noexcept {
  delete products;
}

int prepare(Products& products, std::span<const Queue>, const Product& product) {
  const std::lock_guard lock(products.lock);
  const auto key = key_of(product);
  if (products.prepared.contains(key)) return 0;
  // The real one takes memory to measure in.
  void* memory = nullptr;
  if (const int error = allocate(&memory, 1); error != 0) return error;
  release(memory);
  products.prepared.insert(key);
  return 0;
}

int multiply(Products& products, Queue queue, void* scratch, const Product& product) {
  {
    const std::lock_guard lock(products.lock);
    if (!products.prepared.contains(key_of(product))) return 9;  // cudaErrorInvalidConfiguration
  }
  return cuda_emulation::submit(queue, [product, scratch] {
    std::memset(scratch, 0xff, 64);
    compute(product);
  });
}

void explain(Products&, const Product&, char* text, std::size_t size) noexcept {
  if (size != 0) std::snprintf(text, size, "plain loops");
}

}  // namespace rvm::detail::cuda
