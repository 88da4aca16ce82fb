// No #pragma once: kernels.hpp includes this once for every instruction set, with
//   RVM_SIMD_NAMESPACE  the namespace it goes to
//   RVM_SIMD_BYTES      the size of a vector
//   RVM_SIMD_BF16       defined where there are bfloat16 dot products
// and the compiler set to that instruction set. Nothing may be included here. Vectors are the compilers' own extension,
// so that speed does not depend on the host's level of optimisation.

namespace rvm::detail::RVM_SIMD_NAMESPACE {

inline constexpr std::size_t kLanes = RVM_SIMD_BYTES / sizeof(float);
using F [[gnu::vector_size(RVM_SIMD_BYTES)]] = float;
using I [[gnu::vector_size(RVM_SIMD_BYTES)]] = std::int32_t;
using H [[gnu::vector_size(RVM_SIMD_BYTES / 2)]] = std::uint16_t;
using B [[gnu::vector_size(RVM_SIMD_BYTES / 4)]] = std::uint8_t;

#define RVM_INLINE [[gnu::always_inline]] inline

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
  H half;
  std::memcpy(&half, p, sizeof(half));
  const I wide = __builtin_convertvector(half, I) << 16;
  F v;
  std::memcpy(&v, &wide, sizeof(v));
  return v;
}
RVM_INLINE void store(float* p, F v) {
  std::memcpy(p, &v, sizeof(v));
}
RVM_INLINE void store(bfloat16* p, F v) {
  I bits;
  std::memcpy(&bits, &v, sizeof(v));
  // To nearest, ties to even; a NaN keeps a bit of its own.
  const I rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const I quiet = ((bits >> 16) & 0xffff) | 0x40;
  const I out = v == v ? rounded : quiet;
  const H half = __builtin_convertvector(out, H);
  std::memcpy(static_cast<void*>(p), &half, sizeof(half));
}

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

RVM_INLINE float sum(F v) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}
RVM_INLINE F larger(F a, F b) {
  return a > b ? a : b;
}
RVM_INLINE float largest(F v) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t i = 1; i < kLanes; ++i) lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];
  return lanes[0];
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
  I exponent;
  std::memcpy(&exponent, &shifted, sizeof(exponent));
  I bits;
  std::memcpy(&bits, &p, sizeof(bits));
  bits += exponent << 23;
  F result;
  std::memcpy(&result, &bits, sizeof(result));
  return x < low ? F{} : result;
}

RVM_INLINE F sigmoid(F x) {
  return 1.0F / (1.0F + exp(-x));
}

// GELU's tanh approximation: 0.5 (1 + tanh z) is sigmoid(2 z).
RVM_INLINE F gelu(F x) {
  constexpr float k2Sqrt2OverPi = 1.5957691216057308F;
  return x * sigmoid(x * (k2Sqrt2OverPi + (k2Sqrt2OverPi * 0.044715F) * (x * x)));
}

// f(0), f(1), ... f(n - 1), written out: so that arrays of vectors stay in registers at every level of optimisation.
template <std::size_t... kIndex, class Function>
RVM_INLINE void unroll(std::index_sequence<kIndex...>, const Function& f) {
  (f(kIndex), ...);
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

template <class Out>
void layer_norm_row(const float* x, std::size_t n, const float* scale, const float* bias, float epsilon, Out* y) {
  F total{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) total += load(x + i);
  if (i < n) total += load_part(x + i, n - i);
  const float mean = sum(total) / static_cast<float>(n);
  F squares{};
  for (i = 0; i + kLanes <= n; i += kLanes) {
    const F d = load(x + i) - mean;
    squares += d * d;
  }
  float rest = 0;
  for (; i < n; ++i) rest += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0F / std::sqrt((sum(squares) + rest) / static_cast<float>(n) + epsilon);
  if (bias != nullptr) {
    map(
        n, y,
        [=](F & out, const F& v, const F& s, const F& b)
            __attribute__((always_inline)) { out = (v - mean) * inverse * s + b; },
        x, scale, bias);
  } else {
    map(
        n, y, [=](F & out, const F& v, const F& s) __attribute__((always_inline)) { out = (v - mean) * inverse * s; },
        x, scale);
  }
}

template <class Out>
void gelu_row(const float* x, const float* bias, std::size_t n, Out* y) {
  if (bias != nullptr) {
    map(
        n, y, [](F & out, const F& v, const F& b) __attribute__((always_inline)) { out = gelu(v + b); }, x, bias);
  } else {
    map(
        n, y, [](F & out, const F& v) __attribute__((always_inline)) { out = gelu(v); }, x);
  }
}

template <class Out>
void convert_row(const float* x, const float* bias, std::size_t n, Out* y) {
  if (bias != nullptr) {
    map(
        n, y, [](F & out, const F& v, const F& b) __attribute__((always_inline)) { out = v + b; }, x, bias);
  } else {
    map(
        n, y, [](F & out, const F& v) __attribute__((always_inline)) { out = v; }, x);
  }
}

inline void add_row(const float* x, const float* bias, std::size_t n, float* y) {
  const float* const sum = y;
  if (bias != nullptr) {
    map(
        n, y, [](F & out, const F& u, const F& v, const F& w) __attribute__((always_inline)) { out = u + (v + w); },
        sum, x, bias);
  } else {
    map(
        n, y, [](F & out, const F& u, const F& v) __attribute__((always_inline)) { out = u + v; }, sum, x);
  }
}

template <class In>
ByteScale quantize_row(const In* x, std::size_t n, int steps, std::uint8_t* q) {
  F most{};
  F least{};
  const auto widen = [&](const F& v) __attribute__((always_inline)) {
    most = larger(most, v);
    least = larger(least, -v);
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) widen(load(x + i));
  if (i < n) widen(load_part(x + i, n - i));
  const float low = largest(least);  // how far numbers go below zero
  const float range = largest(most) + low;
  const float factor = range > 0.0F ? static_cast<float>(steps) / range : 0.0F;
  const auto zero = static_cast<std::int32_t>(low * factor + 0.5F);
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number, in the lowest bits
  const auto lanes = [&](const F& v, std::uint8_t* out, std::size_t count) __attribute__((always_inline)) {
    F shifted = v * factor + static_cast<float>(zero);
    shifted = shifted < 0.0F ? F{} : shifted;
    shifted = shifted > static_cast<float>(steps) ? fill(static_cast<float>(steps)) : shifted;
    shifted += kRound;
    I bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    const B bytes = __builtin_convertvector(bits, B);
    std::memcpy(out, &bytes, count);
  };
  for (i = 0; i + kLanes <= n; i += kLanes) lanes(load(x + i), q + i, kLanes);
  if (i < n) lanes(load_part(x + i, n - i), q + i, n - i);
  return {range / static_cast<float>(steps), zero};
}

inline void dequantize_row(float* row, const std::int32_t* column_sums, ByteScale scale, const float* column_scales,
                           std::size_t n) {
  const auto lanes = [=](const float* sums, const std::int32_t* columns, const float* scales, float* out,
                         std::size_t count) __attribute__((always_inline)) {
    I sum{};
    I column{};
    F factor{};
    std::memcpy(&sum, sums, count * sizeof(float));
    std::memcpy(&column, columns, count * sizeof(float));
    std::memcpy(&factor, scales, count * sizeof(float));
    const F result = __builtin_convertvector(sum - scale.zero * column, F) * (factor * scale.scale);
    std::memcpy(out, &result, count * sizeof(float));
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) lanes(row + i, column_sums + i, column_scales + i, row + i, kLanes);
  if (i < n) lanes(row + i, column_sums + i, column_scales + i, row + i, n - i);
}

template <class Out>
void apply_gate_row(const float* a, const float* b, const float* x, std::size_t n, Out* y) {
  map(
      n, y,
      [](F & out, const F& u, const F& v, const F& w) __attribute__((always_inline)) { out = w * sigmoid(u + v); }, a,
      b, x);
}

inline void update_row(const float* a, const float* b, const float* state, std::size_t n, float* y) {
  map(
      n, y, [](F & out, const F& u, const F& v, const F& s, const F& w) __attribute__((always_inline)) {
        out = s + sigmoid(u + v) * (w - s);
      },
      a, b, state, y);
}

// How attention's two products multiply: a slot of 32 bits of the left operand by a vector of slots of the right one.
// Here a slot is one float.
template <class Element>
struct FloatDot {
  static constexpr std::size_t kNumbers = 1;  // in a slot
  static std::uint32_t slot(Element a, Element /*b*/) { return std::bit_cast<std::uint32_t>(static_cast<float>(a)); }
  RVM_INLINE static void add(F& sum, const F& left, const F& right) { sum += left * right; }
  // Puts softmax's weights where the second product reads them, and returns them as it will.
  RVM_INLINE static F store_weights(float* row, std::size_t j, F p) {
    store(row + j, p);
    return p;
  }
};

#ifdef RVM_SIMD_BF16
// A slot is two neighbouring bfloat16 numbers; their products are exact and summed in float.
struct PairDot {
  static constexpr std::size_t kNumbers = 2;
  static std::uint32_t slot(bfloat16 a, bfloat16 b) { return a.bits | static_cast<std::uint32_t>(b.bits) << 16; }
  RVM_INLINE static void add(F& sum, const F& left, const F& right) {
    __m512bh a;
    __m512bh b;
    std::memcpy(static_cast<void*>(&a), &left, sizeof(a));
    std::memcpy(static_cast<void*>(&b), &right, sizeof(b));
    sum = _mm512_dpbf16_ps(sum, a, b);
  }
  RVM_INLINE static F store_weights(float* row, std::size_t j, F p) {
    char* const place = reinterpret_cast<char*>(row) + j * sizeof(bfloat16);
    bfloat16 rounded[kLanes];
    store(rounded, p);
    std::memcpy(place, rounded, sizeof(rounded));
    return load(rounded);
  }
};
#endif

// Slots that n numbers take.
template <class Dot>
constexpr std::size_t slots(std::size_t n) {
  return (n + Dot::kNumbers - 1) / Dot::kNumbers;
}

template <class Dot>
std::size_t packed_keys_size(std::size_t key_count, std::size_t head_dim) {
  return whole_vectors(key_count) * slots<Dot>(head_dim);
}
template <class Dot>
std::size_t packed_values_size(std::size_t key_count, std::size_t head_dim) {
  return slots<Dot>(key_count) * whole_vectors(head_dim);
}
// Scores, queries and sums of kAttentionRows rows.
template <class Dot>
std::size_t scratch_size(std::size_t key_count, std::size_t head_dim) {
  return kAttentionRows * (whole_vectors(key_count) + slots<Dot>(head_dim) + whole_vectors(head_dim));
}

RVM_INLINE void store_slot(float* p, std::uint32_t bits) {
  std::memcpy(p, &bits, sizeof(bits));
}

template <class Dot, class Element>
void pack_keys(MatrixView<const Element> keys, float* packed) {
  const std::size_t stride = whole_vectors(keys.rows);
  std::fill_n(packed, stride * slots<Dot>(keys.cols), 0.0F);
  for (std::size_t j = 0; j < keys.rows; ++j) {
    const Element* const key = keys.row(j);
    for (std::size_t k = 0; k < slots<Dot>(keys.cols); ++k) {
      const std::size_t d = k * Dot::kNumbers;
      store_slot(packed + k * stride + j, Dot::slot(key[d], d + 1 < keys.cols ? key[d + 1] : Element{}));
    }
  }
}

template <class Dot, class Element>
void pack_values(MatrixView<const Element> values, float* packed) {
  const std::size_t stride = whole_vectors(values.cols);
  for (std::size_t j = 0; j < values.rows; j += Dot::kNumbers, packed += stride) {
    const Element* const value = values.row(j);
    const Element* const next = j + 1 < values.rows ? values.row(j + 1) : nullptr;
    for (std::size_t d = 0; d < values.cols; ++d) {
      store_slot(packed + d, Dot::slot(value[d], next == nullptr ? Element{} : next[d]));
    }
    std::fill(packed + values.cols, packed + stride, 0.0F);
  }
}

RVM_INLINE F broadcast_slot(const float* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  const I all = I{} + bits;
  F v;
  std::memcpy(&v, &all, sizeof(v));
  return v;
}

// out[r] = sum over k of left[r * left_stride + k] * right[k], for kRows rows and kVectors vectors of columns: a slot
// of left meets a row of vectors of right.
template <class Dot, std::size_t kRows, std::size_t kVectors>
RVM_INLINE void multiply_block(const float* left, std::size_t left_stride, const float* right, std::size_t right_stride,
                               std::size_t depth, float* out, std::size_t out_stride) {
  F sums[kRows][kVectors] = {};
  for (std::size_t k = 0; k < depth; ++k, right += right_stride) {
    F column[kVectors];
    unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) { column[c] = load(right + c * kLanes); });
    unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
      const F row = broadcast_slot(left + r * left_stride + k);
      unroll<kVectors>([&](std::size_t c) __attribute__((always_inline)) { Dot::add(sums[r][c], row, column[c]); });
    });
  }
  unroll<kRows>([&](std::size_t r) __attribute__((always_inline)) {
    unroll<kVectors>([&](std::size_t c)
                         __attribute__((always_inline)) { store(out + r * out_stride + c * kLanes, sums[r][c]); });
  });
}

template <class Dot, std::size_t kRows>
RVM_INLINE void multiply_rows(const float* left, std::size_t left_stride, const float* right, std::size_t right_stride,
                              std::size_t depth, std::size_t cols, float* out, std::size_t out_stride) {
  constexpr std::size_t kWide = RVM_SIMD_BYTES == 64 ? 4 : 2;
  std::size_t c = 0;
  for (; c + kWide * kLanes <= cols; c += kWide * kLanes) {
    multiply_block<Dot, kRows, kWide>(left, left_stride, right + c, right_stride, depth, out + c, out_stride);
  }
  for (; c < cols; c += kLanes) {
    multiply_block<Dot, kRows, 1>(left, left_stride, right + c, right_stride, depth, out + c, out_stride);
  }
}

template <class Dot, std::size_t kRows, class Element>
void attend_rows(const AttentionBlock<Element>& block, std::size_t first) {
  const std::size_t head_dim = block.queries.cols;
  const std::size_t query_slots = slots<Dot>(head_dim);
  const std::size_t key_stride = whole_vectors(block.key_count);
  const std::size_t value_stride = whole_vectors(head_dim);
  float* const scores = block.scratch;
  float* const queries = scores + kRows * key_stride;
  float* const sums = queries + kRows * query_slots;
  for (std::size_t r = 0; r < kRows; ++r) {
    const Element* const query = block.queries.row(first + r);
    for (std::size_t k = 0; k < query_slots; ++k) {
      const std::size_t d = k * Dot::kNumbers;
      store_slot(queries + r * query_slots + k, Dot::slot(query[d], d + 1 < head_dim ? query[d + 1] : Element{}));
    }
  }
  multiply_rows<Dot, kRows>(queries, query_slots, block.keys, key_stride, query_slots, key_stride, scores, key_stride);
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  float inverse[kRows];
  for (std::size_t r = 0; r < kRows; ++r) {
    float* const row = scores + r * key_stride;
    for (std::size_t j = block.key_count; j < key_stride; ++j) row[j] = row[0];  // changes no maximum
    F most = load(row);
    for (std::size_t j = kLanes; j < key_stride; j += kLanes) most = larger(most, load(row + j));
    const float shift = largest(most);
    F total{};
    std::size_t j = 0;
    for (; j + kLanes <= block.key_count; j += kLanes) {
      total += Dot::store_weights(row, j, exp((load(row + j) - shift) * scale));
    }
    if (j < block.key_count) {
      float last[kLanes];
      store(last, Dot::store_weights(row, j, exp((load(row + j) - shift) * scale)));
      total += load_part(last, block.key_count - j);
    }
    inverse[r] = 1.0F / sum(total);
  }
  multiply_rows<Dot, kRows>(scores, key_stride, block.values, value_stride, slots<Dot>(block.key_count), value_stride,
                            sums, value_stride);
  for (std::size_t r = 0; r < kRows; ++r) {
    const float factor = inverse[r];
    map(
        head_dim,
        block.out.row(first + r), [=](F & out, const F& v) __attribute__((always_inline)) { out = v * factor; },
        static_cast<const float*>(sums + r * value_stride));
  }
}

template <class Dot, class Element>
void attend(const AttentionBlock<Element>& block) {
  std::size_t first = 0;
  for (; first + kAttentionRows <= block.queries.rows; first += kAttentionRows) {
    attend_rows<Dot, kAttentionRows>(block, first);
  }
  for (; first < block.queries.rows; ++first) attend_rows<Dot, 1>(block, first);
}

template <class Element, class Dot>
inline constexpr CpuKernels<Element> kKernelsWith = {&layer_norm_row<Element>,
                                                     &layer_norm_row<float>,
                                                     &gelu_row<Element>,
                                                     &convert_row<Element>,
                                                     &add_row,
                                                     &quantize_row<Element>,
                                                     &dequantize_row,
                                                     &apply_gate_row<Element>,
                                                     &update_row,
                                                     &pack_keys<Dot, Element>,
                                                     &pack_values<Dot, Element>,
                                                     &attend<Dot, Element>,
                                                     &packed_keys_size<Dot>,
                                                     &packed_values_size<Dot>,
                                                     &scratch_size<Dot>};
#ifdef RVM_SIMD_BF16
template <class Element>
inline constexpr const CpuKernels<Element>& kKernels =
    kKernelsWith<Element, std::conditional_t<std::same_as<Element, bfloat16>, PairDot, FloatDot<Element>>>;
#else
template <class Element>
inline constexpr const CpuKernels<Element>& kKernels = kKernelsWith<Element, FloatDot<Element>>;
#endif

#undef RVM_INLINE

}  // namespace rvm::detail::RVM_SIMD_NAMESPACE
