// No #pragma once: part of kernels.inl.hpp. How numbers are multiplied and summed: a slot of 32 bits of the left
// operand meets a vector of slots of the right one. A slot holds one float, two bfloat16 or four bytes; neighbours in a
// slot are neighbours in depth. Where bfloat16 has no instruction, it is widened to float.

RVM_INLINE F from_bits(I bits) {
  return reinterpret_cast<F>(bits);
}
RVM_INLINE I bits_of(F v) {
  return reinterpret_cast<I>(v);
}

// What the ways to multiply have in common.
struct AnyDot {
  static constexpr std::size_t kVectors = RVM_SIMD_BYTES == 64 ? 4 : 2;  // of sums a row that registers have room for
  static constexpr std::size_t kDepthGrain = 1;                          // slots of depth are a whole number of these
  static constexpr std::size_t kColumnGrain = kLanes;                    // and so are columns
};

template <class Element>
struct FloatDot : AnyDot {
  using Sum = F;
  static constexpr std::size_t kNumbers = 1;  // in a slot
  static std::uint32_t slot(Element a, Element /*b*/) { return std::bit_cast<std::uint32_t>(static_cast<float>(a)); }
  RVM_INLINE static void add(F& sum, const F& left, const F& right) { sum += left * right; }
  // Softmax's weights, 2^x for x <= 0; put where the second product reads them, and returned as it will.
  RVM_INLINE static F weights(F x) { return exp2<float>(x); }
  RVM_INLINE static F store_weights(float* row, std::size_t j, F p) {
    store(row + j, p);
    return p;
  }
};

// Products of bfloat16 numbers are exact and summed in float.
struct PairDot : AnyDot {
  using Sum = F;
  static constexpr std::size_t kNumbers = 2;
  static std::uint32_t slot(bfloat16 a, bfloat16 b) { return a.bits | static_cast<std::uint32_t>(b.bits) << 16; }
#ifdef RVM_SIMD_BF16
  RVM_INLINE static void add(F& sum, const F& left, const F& right) {
    __m512bh a;
    __m512bh b;
    std::memcpy(static_cast<void*>(&a), &left, sizeof(a));
    std::memcpy(static_cast<void*>(&b), &right, sizeof(b));
    sum = _mm512_dpbf16_ps(sum, a, b);
  }
#endif
  RVM_INLINE static F weights(F x) {
    return exp2<bfloat16>(x);
  }
  RVM_INLINE static F store_weights(float* row, std::size_t j, F p) {
    char* const place = reinterpret_cast<char*>(row) + j * sizeof(bfloat16);
    bfloat16 rounded[kLanes];
    store(rounded, p);
    std::memcpy(place, rounded, sizeof(rounded));
    return load(rounded);
  }
};

// Bytes without a sign on the left, with one on the right; the sums are whole numbers of 32 bits. Without an
// instruction for it, pairs of products are added in 16 bits: kSteps is the largest byte on the left that fits.
struct ByteDot : AnyDot {
  using Sum = I;
  static constexpr std::size_t kNumbers = 4;
#if defined(RVM_SIMD_VNNI) && RVM_SIMD_BYTES == 64
  static constexpr int kSteps = 255;
  RVM_INLINE static void add(I& sum, const F& left, const F& right) {
    sum = reinterpret_cast<I>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(left),
                                                  reinterpret_cast<__m512i>(right)));
  }
#elif defined(RVM_SIMD_VNNI)
  static constexpr int kSteps = 255;
  RVM_INLINE static void add(I& sum, const F& left, const F& right) {
    sum = reinterpret_cast<I>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), reinterpret_cast<__m256i>(left),
                                                      reinterpret_cast<__m256i>(right)));
  }
#elif RVM_SIMD_BYTES == 64
  static constexpr int kSteps = 127;
  RVM_INLINE static void add(I& sum, const F& left, const F& right) {
    const __m512i pairs = _mm512_maddubs_epi16(reinterpret_cast<__m512i>(left), reinterpret_cast<__m512i>(right));
    sum += reinterpret_cast<I>(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
#elif RVM_SIMD_BYTES == 32
  static constexpr int kSteps = 127;
  RVM_INLINE static void add(I& sum, const F& left, const F& right) {
    const __m256i pairs = _mm256_maddubs_epi16(reinterpret_cast<__m256i>(left), reinterpret_cast<__m256i>(right));
    sum += reinterpret_cast<I>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
#else
  static constexpr int kSteps = 255;
  RVM_INLINE static void add(I& sum, const F& left, const F& right) {
    const I a = bits_of(left);
    const I b = bits_of(right);
    sum += (a & 255) * ((b << 24) >> 24);
    sum += ((a >> 8) & 255) * ((b << 16) >> 24);
    sum += ((a >> 16) & 255) * ((b << 8) >> 24);
    sum += ((a >> 24) & 255) * (b >> 24);
  }
#endif
};

// Slots that n numbers in depth take, and columns that n take.
template <class Dot>
constexpr std::size_t slots(std::size_t n) {
  constexpr std::size_t kGrain = Dot::kNumbers * Dot::kDepthGrain;
  return (n + kGrain - 1) / kGrain * Dot::kDepthGrain;
}
template <class Dot>
constexpr std::size_t whole_columns(std::size_t n) {
  return (n + Dot::kColumnGrain - 1) / Dot::kColumnGrain * Dot::kColumnGrain;
}

RVM_INLINE F broadcast_slot(const char* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return from_bits(I{} + bits);
}

// out[r] = sum over k of left[r * left_stride + k] * right[k], and what was there if `add`, for kRows rows and kVectors
// vectors of columns, k counting slots. The left operand has no alignment.
template <class Dot, std::size_t kRows, std::size_t kVectors>
RVM_INLINE void multiply_block(const void* left, std::size_t left_stride, const float* right, std::size_t right_stride,
                               std::size_t depth, float* out, std::size_t out_stride, bool add = false) {
  using Sum = typename Dot::Sum;
  const char* const first = static_cast<const char*>(left);
  Sum sums[kRows][kVectors] = {};
  if (add) {
    unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
      unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) {
        sums[r][c] = reinterpret_cast<Sum>(load(out + r * out_stride + c * kLanes));
      });
    });
  }
  for (std::size_t k = 0; k < depth; ++k, right += right_stride) {
    F column[kVectors];
    unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) { column[c] = load(right + c * kLanes); });
    unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
      const F row = broadcast_slot(first + (r * left_stride + k) * sizeof(float));
      unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) { Dot::add(sums[r][c], row, column[c]); });
    });
  }
  unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
    unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) {
      store(out + r * out_stride + c * kLanes, reinterpret_cast<F>(sums[r][c]));
    });
  });
}

// The same for any number of columns, a whole number of vectors: as wide as registers allow, and no block of one vector
// where it can be avoided.
template <class Dot, std::size_t kRows>
void multiply_rows(const void* left, std::size_t left_stride, const float* right, std::size_t right_stride,
                   std::size_t depth, std::size_t cols, float* out, std::size_t out_stride) {
  constexpr std::size_t kWide = Dot::kVectors;
  std::size_t c = 0;
  const auto block = [&]<std::size_t kVectors>(std::integral_constant<std::size_t, kVectors>)
      __attribute__((always_inline)) {
    multiply_block<Dot, kRows, kVectors>(left, left_stride, right + c, right_stride, depth, out + c, out_stride);
    c += kVectors * kLanes;
  };
  while (cols - c >= kWide * kLanes && (kWide < 4 || cols - c != (kWide + 1) * kLanes)) {
    block(std::integral_constant<std::size_t, kWide>());
  }
  if constexpr (kWide == 4) {
    if (cols - c >= 3 * kLanes) block(std::integral_constant<std::size_t, 3>());
    if (cols - c >= 2 * kLanes) block(std::integral_constant<std::size_t, 2>());
  }
  if constexpr (kWide > 1) {
    if (c < cols) block(std::integral_constant<std::size_t, 1>());
  }
}
