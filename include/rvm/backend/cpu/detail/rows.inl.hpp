// No #pragma once: part of kernels.inl.hpp. What is done to one row of numbers.

// total += f(v) for every whole vector of n numbers, in four sums that do not wait for each other; returns how many
// numbers that were.
template <class Function>
RVM_INLINE std::size_t sum_vectors(const float* x, std::size_t n, F& total, const Function& f) {
  F sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    unroll<4>([&](std::size_t k) __attribute__((always_inline)) { f(sums[k], load(x + i + k * kLanes)); });
  }
  for (; i + kLanes <= n; i += kLanes) f(sums[0], load(x + i));
  total += (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return i;
}

template <class Out>
void layer_norm_row(const float* x, std::size_t n, const float* scale, const float* bias, float epsilon, Out* y) {
  F total{};
  std::size_t i = sum_vectors(
      x, n, total, [](F & s, const F& v) __attribute__((always_inline)) { s += v; });
  if (i < n) total += load_part(x + i, n - i);
  const float mean = sum(total) / static_cast<float>(n);
  F squares{};
  i = sum_vectors(
      x, n, squares, [=](F & s, const F& v) __attribute__((always_inline)) { s += (v - mean) * (v - mean); });
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
  F spoilt{};  // zero, unless a number is not finite
  const auto widen = [&](const F& v) __attribute__((always_inline)) {
    most = larger(most, v);
    least = larger(least, -v);
    spoilt += v * 0.0F;
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) widen(load(x + i));
  if (i < n) widen(load_part(x + i, n - i));
  const float low = largest(least);  // how far numbers go below zero
  const float range = largest(most) + low;
  constexpr float kLargest = std::numeric_limits<float>::max();
  if (!(sum(spoilt) == 0.0F) || range > kLargest) {  // no bytes can say that
    std::memset(q, 0, n);
    return {std::numeric_limits<float>::quiet_NaN(), 0};
  }
  // Numbers so small that the factor would overflow are nothing.
  const float factor = range > static_cast<float>(steps) / kLargest ? static_cast<float>(steps) / range : 0.0F;
  const auto zero = static_cast<std::int32_t>(low * factor + 0.5F);
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number, in the lowest bits
  const auto lanes = [&](const F& v, std::uint8_t* out, std::size_t count) __attribute__((always_inline)) {
    F shifted = v * factor + static_cast<float>(zero);
    shifted = smaller(larger(shifted, F{}), fill(static_cast<float>(steps)));
    store_bytes(out, reinterpret_cast<I>(shifted + kRound), count);
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
