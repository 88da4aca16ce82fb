// No #pragma once: part of kernels.inl.hpp. Attention of one head.

template <class Dot>
std::size_t packed_keys_size(std::size_t key_count, std::size_t head_dim) {
  return whole_columns<Dot>(key_count) * slots<Dot>(head_dim);
}
template <class Dot>
std::size_t packed_values_size(std::size_t key_count, std::size_t head_dim) {
  return slots<Dot>(key_count) * whole_columns<Dot>(head_dim);
}
// Scores, queries and sums of kRows rows.
template <class Dot, std::size_t kRows>
std::size_t scratch_size(std::size_t key_count, std::size_t head_dim) {
  return kRows * (whole_columns<Dot>(key_count) + slots<Dot>(head_dim) + whole_columns<Dot>(head_dim));
}

RVM_INLINE void store_slot(float* p, std::uint32_t bits) {
  std::memcpy(p, &bits, sizeof(bits));
}

// Whether a slot holds numbers as they lie in memory.
template <class Dot, class Element>
inline constexpr bool kSlotsAsTheyLie = sizeof(Element) * Dot::kNumbers == sizeof(float);

// A vector of slots, from a row's number d on, zero from its end on.
template <class Dot, class Element>
RVM_INLINE F load_slots(const Element* row, std::size_t d, std::size_t cols) {
  constexpr std::size_t kNumbers = kLanes * Dot::kNumbers;
  Element part[kNumbers];
  const Element* from = row + d;
  if (d + kNumbers > cols) {
    std::fill(part, part + kNumbers, Element{});
    if (d < cols) std::copy(from, row + cols, part);
    from = part;
  }
  if constexpr (kSlotsAsTheyLie<Dot, Element>) {
    F v;
    std::memcpy(&v, from, sizeof(v));
    return v;
  } else {
    return load(from);
  }
}

// Lanes change places with vectors where their numbers differ in the bit kHalf alone.
template <std::size_t kHalf, std::size_t... kLane>
RVM_INLINE void swap_across(F& a, F& b, std::index_sequence<kLane...>) {
  const F first = __builtin_shufflevector(a, b, int{(kLane & kHalf) == 0 ? kLane : kLanes + kLane - kHalf}...);
  b = __builtin_shufflevector(a, b, int{(kLane & kHalf) == 0 ? kLane + kHalf : kLanes + kLane}...);
  a = first;
}
// Lane i of vector j becomes lane j of vector i.
template <std::size_t kHalf = kLanes / 2>
RVM_INLINE void transpose(F (&v)[kLanes]) {
  unroll<kLanes>([&](auto i) __attribute__((always_inline)) {
    if constexpr ((i & kHalf) == 0) swap_across<kHalf>(v[i], v[i + kHalf], std::make_index_sequence<kLanes>());
  });
  if constexpr (kHalf > 1) transpose<kHalf / 2>(v);
}

// A square of keys and slots at a time.
template <class Dot, class Element>
void pack_keys(MatrixView<const Element> keys, float* packed) {
  const std::size_t stride = whole_columns<Dot>(keys.rows);
  const std::size_t depth = slots<Dot>(keys.cols);
  for (std::size_t j = 0; j < stride; j += kLanes) {
    for (std::size_t k = 0; k < depth; k += kLanes) {
      F square[kLanes];
      unroll<kLanes>([&](std::size_t i) __attribute__((always_inline)) {
        square[i] = j + i < keys.rows ? load_slots<Dot>(keys.row(j + i), k * Dot::kNumbers, keys.cols) : F{};
      });
      transpose(square);
      unroll<kLanes>([&](std::size_t i) __attribute__((always_inline)) {
        if (k + i < depth) store(packed + (k + i) * stride + j, square[i]);
      });
    }
  }
}

template <class Dot, class Element>
void pack_values(MatrixView<const Element> values, float* packed) {
  const std::size_t stride = whole_columns<Dot>(values.cols);
  float* const end = packed + packed_values_size<Dot>(values.rows, values.cols);
  for (std::size_t j = 0; j < values.rows; j += Dot::kNumbers, packed += stride) {
    const Element* const value = values.row(j);
    const Element* const next = j + 1 < values.rows ? values.row(j + 1) : nullptr;
    for (std::size_t d = 0; d < values.cols; ++d) {
      store_slot(packed + d, Dot::slot(value[d], next == nullptr ? Element{} : next[d]));
    }
    std::fill(packed + values.cols, packed + stride, 0.0F);
  }
  std::fill(packed, end, 0.0F);
}

// One query's numbers, filled up with zeros to whole slots.
template <class Dot, class Element>
void pack_query(const Element* query, std::size_t head_dim, float* packed) {
  const std::size_t depth = slots<Dot>(head_dim);
  if constexpr (kSlotsAsTheyLie<Dot, Element>) {
    std::memcpy(packed, query, head_dim * sizeof(Element));
    std::memset(reinterpret_cast<char*>(packed) + head_dim * sizeof(Element), 0,
                depth * sizeof(float) - head_dim * sizeof(Element));
  } else {
    for (std::size_t k = 0; k < depth; ++k) packed[k] = k < head_dim ? static_cast<float>(query[k]) : 0.0F;
  }
}

// Turns one query's scores [stride] into softmax's weights before their division by their sum; returns what to multiply
// by instead.
template <class Dot>
float soften(float* row, std::size_t key_count, std::size_t stride, float scale) {
  for (std::size_t j = key_count; j < stride; ++j) row[j] = row[0];  // changes no maximum
  F most = load(row);
  for (std::size_t j = kLanes; j < stride; j += kLanes) most = larger(most, load(row + j));
  const float shift = largest(most);
  F total{};
  std::size_t j = 0;
  for (; j + kLanes <= key_count; j += kLanes) {
    total += Dot::store_weights(row, j, Dot::weights((load(row + j) - shift) * scale));
  }
  if (j < key_count) {
    float last[kLanes];
    store(last, Dot::store_weights(row, j, Dot::weights((load(row + j) - shift) * scale)));
    total += load_part(last, key_count - j);
  }
  return 1.0F / sum(total);
}

// What scores are multiplied by before they are powers of two.
inline float score_scale(std::size_t head_dim) {
  constexpr float kLog2E = 1.44269504088896341F;
  return kLog2E / std::sqrt(static_cast<float>(head_dim));
}

template <class Element>
void store_scaled(const float* sums, float factor, std::size_t n, Element* out) {
  map(
      n, out, [=](F & y, const F& v) __attribute__((always_inline)) { y = v * factor; }, sums);
}

template <class Dot, std::size_t kRows, class Element>
void attend_rows(const AttentionBlock<Element>& block, std::size_t first) {
  const std::size_t head_dim = block.queries.cols;
  const std::size_t query_slots = slots<Dot>(head_dim);
  const std::size_t key_stride = whole_columns<Dot>(block.key_count);
  const std::size_t value_stride = whole_columns<Dot>(head_dim);
  float* const scores = block.scratch;
  float* const copies = scores + kRows * key_stride;
  float* const sums = copies + kRows * query_slots;
  const void* queries = block.queries.row(first);
  std::size_t query_stride = block.queries.stride / Dot::kNumbers;
  if (!kSlotsAsTheyLie<Dot, Element> || head_dim % Dot::kNumbers != 0 || block.queries.stride % Dot::kNumbers != 0) {
    for (std::size_t r = 0; r < kRows; ++r) {
      pack_query<Dot>(block.queries.row(first + r), head_dim, copies + r * query_slots);
    }
    queries = copies;
    query_stride = query_slots;
  }
  multiply_rows<Dot, kRows>(queries, query_stride, block.keys, key_stride, query_slots, key_stride, scores, key_stride);
  const float scale = score_scale(head_dim);
  float inverse[kRows];
  for (std::size_t r = 0; r < kRows; ++r) {
    inverse[r] = soften<Dot>(scores + r * key_stride, block.key_count, key_stride, scale);
  }
  multiply_rows<Dot, kRows>(scores, key_stride, block.values, value_stride, slots<Dot>(block.key_count), value_stride,
                            sums, value_stride);
  for (std::size_t r = 0; r < kRows; ++r) {
    store_scaled(sums + r * value_stride, inverse[r], head_dim, block.out.row(first + r));
  }
}

template <class Dot, class Element>
void attend(const AttentionBlock<Element>& block) {
  const std::size_t rows = block.queries.rows;
  if (rows < kAttentionRows) {
    for (std::size_t first = 0; first < rows; ++first) attend_rows<Dot, 1>(block, first);
    return;
  }
  // The last rows overlap with those before and come out the same: better than one by one.
  for (std::size_t first = 0; first < rows; first += kAttentionRows) {
    attend_rows<Dot, kAttentionRows>(block, first + kAttentionRows <= rows ? first : rows - kAttentionRows);
  }
}
