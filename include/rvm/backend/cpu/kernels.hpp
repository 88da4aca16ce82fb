#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(__x86_64__) && !defined(RVM_EXTERN_KERNELS)
#include <immintrin.h>
#endif

#include <rvm/backend/cpu/isa.hpp>
#include <rvm/backend/cpu/product.hpp>
#include <rvm/backend/cpu/tiles.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/matrix.hpp>

namespace rvm::detail {

/// One attention head's block of queries against all its keys.
template <class Element>
struct AttentionBlock {
  MatrixView<const Element> queries;  // [queries, head_dim]
  const float* keys;                  // as pack_keys has left them
  const float* values;                // as pack_values has left them
  std::size_t key_count = 0;
  MatrixView<Element> out;  // [queries, head_dim]
  float* scratch;           // kernels' attention_scratch(key_count, head_dim) floats
};

/// Everything in a step that is not a dense layer, for one row or one block: as fast as a vector unit allows. `Element`
/// is what products read (float or bfloat16). Pointers need no alignment.
template <class Element>
struct CpuKernels {
  /// y = (x - mean) / sqrt(variance + epsilon) * scale + bias; bias may be null. y may be x.
  void (*layer_norm)(const float* x, std::size_t n, const float* scale, const float* bias, float epsilon, Element* y);
  void (*layer_norm_wide)(const float* x, std::size_t n, const float* scale, const float* bias, float epsilon,
                          float* y);
  /// y = gelu(x + bias), tanh approximation; bias may be null. y may be x.
  void (*gelu)(const float* x, const float* bias, std::size_t n, Element* y);
  /// y = x + bias; bias may be null. y may be x.
  void (*convert)(const float* x, const float* bias, std::size_t n, Element* y);
  /// y += x + bias; bias may be null.
  void (*add)(const float* x, const float* bias, std::size_t n, float* y);
  /// q = round(x / scale) + zero, in [0, steps]: the finest scale that holds all numbers and 0; a scale of NaN if one
  /// is not finite.
  ByteScale (*quantize)(const Element* x, std::size_t n, int steps, std::uint8_t* q);
  /// In place: `row` holds 32-bit sums and becomes (sum - zero * column_sum) * row's scale * column's scale, in float.
  void (*dequantize)(float* row, const std::int32_t* column_sums, ByteScale scale, const float* column_scales,
                     std::size_t n);
  /// y = sigmoid(a + b) * x
  void (*apply_gate)(const float* a, const float* b, const float* x, std::size_t n, Element* y);
  /// y = state + sigmoid(a + b) * (y - state)
  void (*update)(const float* a, const float* b, const float* state, std::size_t n, float* y);
  /// Packs one head's keys and values for `attend`: keys [key_count, head_dim] as rows of dimensions, values as they
  /// lie, both in float and padded with zeros to whole vectors.
  void (*pack_keys)(MatrixView<const Element> keys, float* packed);
  void (*pack_values)(MatrixView<const Element> values, float* packed);
  /// out = softmax(q k^T / sqrt(head_dim)) v
  void (*attend)(const AttentionBlock<Element>& block);
  /// Floats of room that packed keys, packed values and scratch take.
  std::size_t (*packed_keys)(std::size_t key_count, std::size_t head_dim);
  std::size_t (*packed_values)(std::size_t key_count, std::size_t head_dim);
  std::size_t (*attention_scratch)(std::size_t key_count, std::size_t head_dim);
  /// Queries that `attend` works on at once: blocks of this size waste nothing.
  std::size_t attention_rows;
};

/// Queries whose scores vector units keep in registers.
inline constexpr std::size_t kAttentionRows = 6;

/// The kernels for an instruction set that this processor has.
template <class Element>
const CpuKernels<Element>& cpu_kernels(Isa isa) noexcept;

/// The products with packed weights for an instruction set that this processor has.
template <class Weight>
const ProductKernels<Weight>& cpu_products(Isa isa) noexcept;

/// Everything that computes on one instruction set.
template <class Element>
struct CpuLevel {
  Isa isa = Isa::kPortable;
  const CpuKernels<Element>* kernels = nullptr;
  const ProductKernels<Element>* products = nullptr;
  const ProductKernels<std::int8_t>* byte_products = nullptr;
};

/// The kernels and products for an instruction set that this processor has.
template <class Element>
CpuLevel<Element> cpu_level(Isa isa) noexcept {
  return {isa, &cpu_kernels<Element>(isa), &cpu_products<Element>(isa), &cpu_products<std::int8_t>(isa)};
}

}  // namespace rvm::detail

// A program of many translation units may compile the kernels once: RVM_EXTERN_KERNELS in all but one, which
// instantiates cpu_kernels and cpu_products for the types that are used:
//   template const rvm::detail::CpuKernels<float>& rvm::detail::cpu_kernels<float>(rvm::Isa) noexcept;
//   template const rvm::detail::ProductKernels<float>& rvm::detail::cpu_products<float>(rvm::Isa) noexcept;
// and the same for bfloat16; the second for std::int8_t too.
#ifndef RVM_EXTERN_KERNELS

// The same code once for every instruction set, each in a namespace of its own.
#include <rvm/core/detail/simd_begin.hpp>

#define RVM_SIMD_NAMESPACE portable
#define RVM_SIMD_BYTES 16
RVM_PORTABLE_BEGIN
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_PORTABLE_END
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES

#if defined(__x86_64__)
#define RVM_SIMD_NAMESPACE avx2
#define RVM_SIMD_BYTES 32
RVM_TARGET_BEGIN(RVM_AVX2)
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE

#define RVM_SIMD_NAMESPACE avx_vnni
#define RVM_SIMD_VNNI
RVM_TARGET_BEGIN(RVM_AVX2 ",avxvnni")
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_VNNI
#undef RVM_SIMD_BYTES

#define RVM_SIMD_BYTES 64
#define RVM_SIMD_NAMESPACE avx512
RVM_TARGET_BEGIN(RVM_AVX512)
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE

#define RVM_SIMD_NAMESPACE avx512_vnni
#define RVM_SIMD_VNNI
RVM_TARGET_BEGIN(RVM_AVX512 ",avx512vnni")
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE

#define RVM_SIMD_NAMESPACE avx512_bf16
#define RVM_SIMD_BF16
RVM_TARGET_BEGIN(RVM_AVX512 ",avx512vnni,avx512bf16")
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BF16
#undef RVM_SIMD_VNNI
#undef RVM_SIMD_BYTES

// Matrix tiles for products, and the vectors of avx512_bf16 for all else.
RVM_TARGET_BEGIN(RVM_AVX512 ",avx512vnni,avx512bf16,amx-tile,amx-bf16,amx-int8")
namespace rvm::detail::amx {
using namespace avx512_bf16;
// clang-format off
#include <rvm/backend/cpu/detail/amx_tiles.inl.hpp>
#include <rvm/backend/cpu/detail/tiles.inl.hpp>
// clang-format on
}  // namespace rvm::detail::amx
RVM_TARGET_END
#endif

#include <rvm/core/detail/simd_end.hpp>

namespace rvm::detail {

template <class Element>
const CpuKernels<Element>& cpu_kernels(Isa isa) noexcept {
#if defined(__x86_64__)
  if constexpr (std::same_as<Element, bfloat16>) {
    if (isa >= Isa::kAmx) return amx::kTileKernels<amx::AmxTiles>;
  }
  if (isa >= Isa::kAvx512Bf16) return avx512_bf16::kKernels<Element>;
  if (isa >= Isa::kAvx512) return avx512::kKernels<Element>;
  if (isa >= Isa::kAvx2) return avx2::kKernels<Element>;
#else
  static_cast<void>(isa);
#endif
  return portable::kKernels<Element>;
}

template <class Weight>
const ProductKernels<Weight>& cpu_products(Isa isa) noexcept {
#if defined(__x86_64__)
  if constexpr (!std::same_as<Weight, float>) {
    if (isa >= Isa::kAmx) return amx::kTileProducts<amx::AmxTiles, Weight>;
  }
  if (isa >= Isa::kAvx512Bf16) return avx512_bf16::kProducts<Weight>;
  if constexpr (std::same_as<Weight, std::int8_t>) {
    if (isa >= Isa::kAvx512Vnni) return avx512_vnni::kProducts<Weight>;
    if (isa == Isa::kAvxVnni) return avx_vnni::kProducts<Weight>;
  }
  if (isa >= Isa::kAvx512) return avx512::kProducts<Weight>;
  if (isa >= Isa::kAvx2) return avx2::kProducts<Weight>;
#else
  static_cast<void>(isa);
#endif
  return portable::kProducts<Weight>;
}

}  // namespace rvm::detail

#endif  // RVM_EXTERN_KERNELS
