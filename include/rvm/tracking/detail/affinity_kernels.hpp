#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <rvm/backend/cpu/isa.hpp>

namespace rvm::detail {

/// Tokens that are compared at once: a tile of 16 queries with one of 16 keys.
inline constexpr std::size_t kTileTokens = 16;

/// Comparing tokens, as fast as a vector unit allows. Pointers need no alignment.
struct AffinityKernels {
  /// For every query of a tile the keys of another whose dot product with it is at least `least` of that query: bit k
  /// of found[q]. Returns all bits together. Tiles are [pairs, 16, 2] whole numbers: numbers 2 i and 2 i + 1 of each
  /// token; no product of two tokens may exceed 32 bits.
  std::uint32_t (*candidates)(const std::int16_t* queries, const std::int16_t* keys, std::size_t pairs,
                              const std::int32_t* least, std::uint16_t* found);
  /// The dot product in float, always summed in the same order.
  float (*dot)(const float* a, const float* b, std::size_t n);
};

}  // namespace rvm::detail

// The same code once for every instruction set, each in a namespace of its own.
// The portable one never fuses a product with a sum: translation units with and without such instructions must agree.
#define RVM_SIMD_NAMESPACE affinity_portable
#define RVM_SIMD_BYTES 16
#if defined(__clang__)
#pragma float_control(push)
#pragma clang fp contract(off)
#else
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
#if defined(__clang__)
#pragma float_control(pop)
#else
#pragma GCC pop_options
#endif
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES

#if defined(__x86_64__)
#define RVM_SIMD_NAMESPACE affinity_avx2
#define RVM_SIMD_BYTES 32
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES

#define RVM_SIMD_NAMESPACE affinity_avx512
#define RVM_SIMD_BYTES 64
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef RVM_SIMD_NAMESPACE

#define RVM_SIMD_NAMESPACE affinity_avx512_vnni
#define RVM_SIMD_VNNI
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")
#endif
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef RVM_SIMD_VNNI
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES
#endif

namespace rvm::detail {

/// Whether the processor sums products of pairs in one instruction (AVX-512 VNNI).
inline bool has_vnni() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

/// The kernels for an instruction set that this processor has, with or without VNNI.
inline const AffinityKernels& affinity_kernels(Isa isa, bool vnni) noexcept {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return vnni ? affinity_avx512_vnni::kAffinityKernels : affinity_avx512::kAffinityKernels;
  if (isa >= Isa::kAvx2) return affinity_avx2::kAffinityKernels;
#else
  static_cast<void>(isa);
  static_cast<void>(vnni);
#endif
  return affinity_portable::kAffinityKernels;
}
inline const AffinityKernels& affinity_kernels() noexcept {
  return affinity_kernels(best_isa(), has_vnni());
}

}  // namespace rvm::detail
