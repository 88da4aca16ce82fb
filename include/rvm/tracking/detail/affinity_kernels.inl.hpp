// No #pragma once: affinity_kernels.hpp includes this once for every instruction set, with
//   RVM_SIMD_NAMESPACE  the namespace it goes to
//   RVM_SIMD_BYTES      the size of a vector
//   RVM_SIMD_VNNI       defined where products of pairs are summed by one instruction
// and the compiler set to that instruction set. Nothing may be included here.

namespace rvm::detail::RVM_SIMD_NAMESPACE {

inline constexpr std::size_t kLanes = RVM_SIMD_BYTES / sizeof(float);
using F [[gnu::vector_size(RVM_SIMD_BYTES)]] = float;
using I [[gnu::vector_size(RVM_SIMD_BYTES)]] = std::int32_t;

template <class Vector, class T>
RVM_INLINE Vector load(const T* p) {
  Vector v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// Two 16-bit numbers of a query, for every lane.
RVM_INLINE I broadcast_pair(const std::int16_t* p) {
  std::int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  return I{} + pair;
}

// sum += the products of two pairs of 16-bit numbers, in every lane.
RVM_INLINE void add_products(I& sum, const I& a, const I& b) {
#if defined(__x86_64__) && RVM_SIMD_BYTES == 64
#if defined(RVM_SIMD_VNNI)
  sum = reinterpret_cast<I>(
      _mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
  sum += reinterpret_cast<I>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#endif
#elif defined(__x86_64__) && RVM_SIMD_BYTES == 32
  sum += reinterpret_cast<I>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__)
  sum += reinterpret_cast<I>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  sum += (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}

// A bit for every lane that is at least `least`.
RVM_INLINE std::uint32_t lanes_at_least(const I& v, std::int32_t least) {
  const I bound = I{} + least;
#if defined(__x86_64__) && RVM_SIMD_BYTES == 64
  return _mm512_cmpge_epi32_mask(reinterpret_cast<__m512i>(v), reinterpret_cast<__m512i>(bound));
#else
  const I reached = v >= bound;
#if defined(__x86_64__) && RVM_SIMD_BYTES == 32
  return static_cast<std::uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(reached)));
#elif defined(__x86_64__)
  return static_cast<std::uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(reached)));
#else
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kLanes; ++i) bits |= reached[i] != 0 ? 1U << i : 0U;
  return bits;
#endif
#endif
}

template <std::size_t... kIndex, class Function>
RVM_INLINE void unroll(std::index_sequence<kIndex...>, const Function& f) {
  (f(kIndex), ...);
}
template <std::size_t kCount, class Function>
RVM_INLINE void unroll(const Function& f) {
  unroll(std::make_index_sequence<kCount>(), f);
}

inline std::uint32_t candidates(const std::int16_t* queries, const std::int16_t* keys, std::size_t pairs,
                                const std::int32_t* least, std::uint16_t* found) {
  constexpr std::size_t kVectors = kTileTokens / kLanes;
  constexpr std::size_t kRows = RVM_SIMD_BYTES == 64 ? 16 : RVM_SIMD_BYTES == 32 ? 4 : 2;  // what registers hold
  std::uint32_t any = 0;
  for (std::size_t first = 0; first < kTileTokens; first += kRows) {
    I sums[kRows][kVectors] = {};
    const std::int16_t* query = queries + 2 * first;
    const std::int16_t* key = keys;
    for (std::size_t i = 0; i < pairs; ++i, query += 2 * kTileTokens, key += 2 * kTileTokens) {
      I columns[kVectors];
      unroll<kVectors>([&](std::size_t c)
                           __attribute__((always_inline)) { columns[c] = load<I>(key + c * 2 * kLanes); });
      unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
        const I row = broadcast_pair(query + 2 * r);
        unroll<kVectors>([&](std::size_t c)
                             __attribute__((always_inline)) { add_products(sums[r][c], columns[c], row); });
      });
    }
    unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
      std::uint32_t bits = 0;
      unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) {
        bits |= lanes_at_least(sums[r][c], least[first + r]) << (c * kLanes);
      });
      found[first + r] = static_cast<std::uint16_t>(bits);
      any |= bits;
    });
  }
  return any;
}

inline float dot(const float* a, const float* b, std::size_t n) {
  constexpr std::size_t kSums = 4;
  F sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums * kLanes <= n; i += kSums * kLanes) {
    unroll<kSums>([&](std::size_t s) __attribute__((always_inline)) {
      sums[s] += load<F>(a + i + s * kLanes) * load<F>(b + i + s * kLanes);
    });
  }
  for (; i + kLanes <= n; i += kLanes) sums[0] += load<F>(a + i) * load<F>(b + i);
  float lanes[kLanes];
  const F sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  std::memcpy(lanes, &sum, sizeof(lanes));
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  for (; i < n; ++i) lanes[0] += a[i] * b[i];
  return lanes[0];
}

inline constexpr AffinityKernels kAffinityKernels = {&candidates, &dot};

}  // namespace rvm::detail::RVM_SIMD_NAMESPACE
