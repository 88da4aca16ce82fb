// No #pragma once: part of kernels.inl.hpp. Vectors of floats, and functions of them.

inline constexpr std::size_t kLanes = RVM_SIMD_BYTES / sizeof(float);
// Columns of a panel of packed weights.
inline constexpr std::size_t kPanelCols = (RVM_SIMD_BYTES == 64 ? 4 : 2) * kLanes;

using F [[gnu::vector_size(RVM_SIMD_BYTES)]] = float;
using I [[gnu::vector_size(RVM_SIMD_BYTES)]] = std::int32_t;
using U [[gnu::vector_size(RVM_SIMD_BYTES)]] = std::uint32_t;
using H [[gnu::vector_size(RVM_SIMD_BYTES / 2)]] = std::uint16_t;
using B [[gnu::vector_size(RVM_SIMD_BYTES / 4)]] = std::uint8_t;

#if RVM_SIMD_BYTES == 64
// GCC takes what intrinsics without a mask leave undefined for a mistake.
inline constexpr __mmask16 kAllLanes = 0xffff;
#endif

RVM_INLINE constexpr std::size_t whole_vectors(std::size_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

RVM_INLINE F fill(float value) {
  return F{} + value;
}

RVM_INLINE F load(const float* p) {
  F v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
RVM_INLINE F load(const bfloat16* p) {
#if RVM_SIMD_BYTES == 64
  __m256i half;
  std::memcpy(&half, p, sizeof(half));
  return reinterpret_cast<F>(reinterpret_cast<I>(_mm512_maskz_cvtepu16_epi32(kAllLanes, half)) << 16);
#elif RVM_SIMD_BYTES == 32
  __m128i half;
  std::memcpy(&half, p, sizeof(half));
  return reinterpret_cast<F>(reinterpret_cast<I>(_mm256_cvtepu16_epi32(half)) << 16);
#else
  H half;
  std::memcpy(&half, p, sizeof(half));
  return reinterpret_cast<F>(__builtin_convertvector(half, I) << 16);
#endif
}
RVM_INLINE void store(float* p, F v) {
  std::memcpy(p, &v, sizeof(v));
}
#ifdef RVM_SIMD_BF16
// Denormal numbers become zero here.
RVM_INLINE void store(bfloat16* p, F v) {
  const __m256bh half = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(static_cast<void*>(p), &half, sizeof(half));
}
#else
RVM_INLINE void store(bfloat16* p, F v) {
  U bits;
  std::memcpy(&bits, &v, sizeof(v));
  // To nearest, ties to even; a NaN keeps a bit of its own.
  const U rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const U quiet = (bits >> 16) | 0x40;
  const U out = v == v ? rounded : quiet;
  const H half = __builtin_convertvector(out, H);
  std::memcpy(static_cast<void*>(p), &half, sizeof(half));
}
#endif

// The first `count` lanes, the rest zero.
template <class T>
RVM_INLINE F load_part(const T* p, std::size_t count) {
  T lanes[kLanes] = {};
  std::memcpy(static_cast<void*>(lanes), p, count * sizeof(T));
  return load(lanes);
}
template <class T>
RVM_INLINE void store_part(T* p, F v, std::size_t count) {
  T lanes[kLanes];
  store(lanes, v);
  std::memcpy(static_cast<void*>(p), lanes, count * sizeof(T));
}

// The lowest byte of each lane.
RVM_INLINE void store_bytes(std::uint8_t* p, I v, std::size_t count) {
#if RVM_SIMD_BYTES == 64
  const __m128i bytes = _mm512_maskz_cvtepi32_epi8(kAllLanes, reinterpret_cast<__m512i>(v));
#elif RVM_SIMD_BYTES == 32
  const __m256i wide = reinterpret_cast<__m256i>(v & 255);
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  const __m128i bytes = _mm_packus_epi16(words, words);
#else
  const B bytes = __builtin_convertvector(v, B);
#endif
  std::memcpy(p, &bytes, count);
}

// The second of two that cannot be compared.
RVM_INLINE F larger(F a, F b) {
#if RVM_SIMD_BYTES == 64
  return reinterpret_cast<F>(_mm512_maskz_max_ps(kAllLanes, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
  return a > b ? a : b;
#endif
}
RVM_INLINE F smaller(F a, F b) {
#if RVM_SIMD_BYTES == 64
  return reinterpret_cast<F>(_mm512_maskz_min_ps(kAllLanes, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#else
  return a < b ? a : b;
#endif
}

// Lanes whose numbers differ in the bit kHalf alone change places.
template <std::size_t kHalf, std::size_t... kLane>
RVM_INLINE F swap_lanes(F v, std::index_sequence<kLane...>) {
  return __builtin_shufflevector(v, v, int{kLane ^ kHalf}...);
}
template <std::size_t kHalf = kLanes / 2>
RVM_INLINE float sum(F v) {
  v += swap_lanes<kHalf>(v, std::make_index_sequence<kLanes>());
  if constexpr (kHalf > 1) return sum<kHalf / 2>(v);
  return v[0];
}
template <std::size_t kHalf = kLanes / 2>
RVM_INLINE float largest(F v) {
  v = larger(v, swap_lanes<kHalf>(v, std::make_index_sequence<kLanes>()));
  if constexpr (kHalf > 1) return largest<kHalf / 2>(v);
  return v[0];
}

// e^x to 1 unit in the last place or so; 0 below -87, e^88 above 88. NaN stays NaN.
RVM_INLINE F exp(F x) {
  const F low = fill(-87.3F);
  const F high = fill(88.0F);
  F clamped = x < low ? low : x;
  clamped = clamped > high ? high : clamped;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const F shifted = clamped * 1.44269504088896341F + kRound;
  const F n = shifted - kRound;
  const F r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  F p = fill(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  U exponent;
  std::memcpy(&exponent, &shifted, sizeof(exponent));
  U bits;
  std::memcpy(&bits, &p, sizeof(bits));
  bits += exponent << 23;
  F result;
  std::memcpy(&result, &bits, sizeof(result));
  const F ordered = x < low ? F{} : result;
  return x == x ? ordered : x;
}

// 2^x for x <= 126 is 2^n p(r), n being the nearest whole number and r what is left, in [-0.5, 0.5]. Next to nothing
// below -126; NaN stays NaN.
template <class Polynomial>
RVM_INLINE F exp2(F x, const Polynomial& p) {
  const F clamped = larger(fill(-126.0F), x);
#if RVM_SIMD_BYTES == 64
  const __m512 n = _mm512_maskz_roundscale_ps(kAllLanes, reinterpret_cast<__m512>(clamped), 0);
  F power;
  p(power, clamped - reinterpret_cast<F>(n));
  return reinterpret_cast<F>(_mm512_maskz_scalef_ps(kAllLanes, reinterpret_cast<__m512>(power), n));
#else
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const F shifted = clamped + kRound;
  F power;
  p(power, clamped - (shifted - kRound));
  const F result = reinterpret_cast<F>(reinterpret_cast<U>(power) + (reinterpret_cast<U>(shifted) << 23));
  return x == x ? result : x;
#endif
}

// To 2e-7 of itself; for results that become bfloat16, which has 2e-3, to 8e-5.
template <class Result>
RVM_INLINE F exp2(F x) {
  return exp2(
      x, [](F & p, const F& r) __attribute__((always_inline)) {
        if constexpr (std::same_as<Result, bfloat16>) {
          p = fill(5.517166492e-2F);
          p = p * r + 2.426111219e-1F;
          p = p * r + 6.932609862e-1F;
          p = p * r + 9.999280736e-1F;
        } else {
          p = fill(1.326472712e-3F);
          p = p * r + 9.671512645e-3F;
          p = p * r + 5.550733743e-2F;
          p = p * r + 2.402224209e-1F;
          p = p * r + 6.931469776e-1F;
          p = p * r + 1.0F;
        }
      });
}

RVM_INLINE F sigmoid(F x) {
  return 1.0F / (1.0F + exp(-x));
}

// 1 / x to 2e-7 of itself, without a division where there is an instruction to begin with.
RVM_INLINE F quick_reciprocal(F x) {
#if RVM_SIMD_BYTES == 64
  const F y = reinterpret_cast<F>(_mm512_maskz_rcp14_ps(kAllLanes, reinterpret_cast<__m512>(x)));
  return y * (2.0F - x * y);
#else
  return 1.0F / x;
#endif
}

// GELU's tanh approximation: 0.5 (1 + tanh z) is 1 / (1 + e^(-2 z)). Quick: processors with AMX take 16 cycles for a
// division, others do it beside their other work.
template <bool kQuick = false>
RVM_INLINE F gelu(F x) {
  constexpr float kScale = -2.302208198F;  // -2 sqrt(2 / pi) log2(e)
  const F power = exp2<float>(smaller(fill(126.0F), x * (kScale + (kScale * 0.044715F) * (x * x))));
  return kQuick ? x * quick_reciprocal(1.0F + power) : x / (1.0F + power);
}

// f(0), f(1), ... f(n - 1), written out: so that arrays of vectors stay in registers at every level of optimisation. An
// index is a constant of its own type.
template <std::size_t... kIndex, class Function>
RVM_INLINE void unroll(std::index_sequence<kIndex...>, const Function& f) {
  (f(std::integral_constant<std::size_t, kIndex>()), ...);
}
template <std::size_t kCount, class Function>
RVM_INLINE void unroll(const Function& f) {
  unroll(std::make_index_sequence<kCount>(), f);
}

// f(y, x...) for every vector of n numbers. By reference: a lambda of its own counts as outside this instruction set.
template <class Out, class Function, class... In>
RVM_INLINE void map(std::size_t n, Out* y, const Function& f, const In*... in) {
  F result;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    f(result, load(in + i)...);
    store(y + i, result);
  }
  if (i < n) {
    f(result, load_part(in + i, n - i)...);
    store_part(y + i, result, n - i);
  }
}
