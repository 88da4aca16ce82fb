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
#include <rvm/core/detail/simd_begin.hpp>

#define RVM_SIMD_NAMESPACE affinity_portable
#define RVM_SIMD_BYTES 16
RVM_PORTABLE_BEGIN
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
RVM_PORTABLE_END
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES

#if defined(__x86_64__)
#define RVM_SIMD_NAMESPACE affinity_avx2
#define RVM_SIMD_BYTES 32
RVM_TARGET_BEGIN(RVM_AVX2)
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES

#define RVM_SIMD_NAMESPACE affinity_avx512
#define RVM_SIMD_BYTES 64
RVM_TARGET_BEGIN(RVM_AVX512)
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_NAMESPACE

#define RVM_SIMD_NAMESPACE affinity_avx512_vnni
#define RVM_SIMD_VNNI
RVM_TARGET_BEGIN(RVM_AVX512 ",avx512vnni")
#include <rvm/tracking/detail/affinity_kernels.inl.hpp>
RVM_TARGET_END
#undef RVM_SIMD_VNNI
#undef RVM_SIMD_NAMESPACE
#undef RVM_SIMD_BYTES
#endif

#include <rvm/core/detail/simd_end.hpp>

namespace rvm::detail {

/// The kernels for an instruction set that this processor has.
inline const AffinityKernels& affinity_kernels(Isa isa = best_isa()) noexcept {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512Vnni) return affinity_avx512_vnni::kAffinityKernels;
  if (isa >= Isa::kAvx512) return affinity_avx512::kAffinityKernels;
  if (isa >= Isa::kAvx2) return affinity_avx2::kAffinityKernels;
#else
  static_cast<void>(isa);
#endif
  return affinity_portable::kAffinityKernels;
}

}  // namespace rvm::detail
