// No #pragma once: part of kernels.inl.hpp. A block of rows times one panel of packed weights.

// The sums of kRows rows with a part of the panel's depth.
template <class Dot, std::size_t kRows>
void sum_rows(const void* x, std::size_t x_stride, const float* panel, std::size_t depth, float* sums, bool add) {
  constexpr std::size_t kWide = Dot::kVectors * kLanes;
  for (std::size_t c = 0; c < kPanelCols; c += kWide) {
    multiply_block<Dot, kRows, Dot::kVectors>(x, x_stride, panel + c, kPanelCols, depth, sums + c, kPanelCols, add);
  }
}

// One vector of sums as numbers, with the layer's bias: of row i, from column c on.
template <class Weight>
RVM_INLINE F finished(const PanelProduct<Weight>& p, std::size_t i, std::size_t c, const float* sums) {
  F v = load(sums + c);
  if constexpr (std::same_as<Weight, std::int8_t>) {
    const ByteScale scale = p.row_scales[i];
    v = __builtin_convertvector(bits_of(v), F) - load(p.column_sums + c) * static_cast<float>(scale.zero);
    v *= load(p.column_scales + c) * scale.scale;
  }
  return v + load(p.bias + c);
}

// f(number, row, column, count) for all vectors of some rows; a row's sums lie `stride` after the last one's.
template <class Weight, class Function>
RVM_INLINE void finish_each(const PanelProduct<Weight>& p, std::size_t row, std::size_t rows, const float* sums,
                            std::size_t stride, const Function& f) {
  for (std::size_t i = row; i < row + rows; ++i, sums += stride) {
    std::size_t c = 0;
    for (; c + kLanes <= p.cols; c += kLanes) f(finished(p, i, c, sums), i, c, kLanes);
    if (c < p.cols) f(finished(p, i, c, sums), i, c, p.cols - c);
  }
}

template <class Out>
RVM_INLINE void store_some(Out* to, const F& v, std::size_t count) {
  if (count == kLanes) {
    store(to, v);
  } else {
    store_part(to, v, count);
  }
}

// What follows the sums of some rows, while they are in the first cache.
template <class Weight, bool kQuick = false>
void finish_rows(const PanelProduct<Weight>& p, std::size_t row, std::size_t rows, const float* sums,
                 std::size_t stride) {
  const auto y = p.y;
  const auto wide = p.wide;
  switch (p.finish) {
    case Finish::kStore:
      finish_each(
          p, row, rows, sums,
          stride, [&y](const F& v, std::size_t i, std::size_t c, std::size_t count) __attribute__((always_inline)) {
            store_some(y.row(i) + c, v, count);
          });
      break;
    case Finish::kGelu:
      finish_each(
          p, row, rows, sums,
          stride, [&y](const F& v, std::size_t i, std::size_t c, std::size_t count) __attribute__((always_inline)) {
            store_some(y.row(i) + c, gelu<kQuick>(v), count);
          });
      break;
    case Finish::kStoreWide:
      finish_each(
          p, row, rows, sums,
          stride, [&wide](const F& v, std::size_t i, std::size_t c, std::size_t count) __attribute__((always_inline)) {
            store_some(wide.row(i) + c, v, count);
          });
      break;
    case Finish::kAddWide:
      finish_each(
          p, row, rows, sums,
          stride, [&wide](const F& v, std::size_t i, std::size_t c, std::size_t count) __attribute__((always_inline)) {
            float* const to = wide.row(i) + c;
            store_some(to, v + (count == kLanes ? load(to) : load_part(to, count)), count);
          });
      break;
  }
}

// The same numbers in float, row after row.
inline void widen(const MatrixView<const bfloat16>& x, float* wide) {
  for (std::size_t r = 0; r < x.rows; ++r, wide += x.cols) {
    std::size_t i = 0;
    for (; i + kLanes <= x.cols; i += kLanes) store(wide + i, load(x.row(r) + i));
    if (i < x.cols) store_part(wide + i, load_part(x.row(r) + i, x.cols - i), x.cols - i);
  }
}

// Whether bfloat16 has no instruction, so that panels and tiles of rows are widened to float first.
template <class Dot, class Weight>
inline constexpr bool kWidens = std::same_as<Weight, bfloat16>&& std::same_as<Dot, FloatDot<float>>;

// Slots of a panel that stay in the second cache while rows go by.
template <class Dot, class Weight>
inline constexpr std::size_t kDepthAtOnce = kWidens<Dot, Weight> ? 512 : 1024;

// Rows are cut into tiles of 6: a tile's sums stay in registers, and each vector of the panel that is read serves all
// of them. The last tile overlaps the one before; fewer rows than a tile go one by one.
template <class Dot, class Weight>
void multiply_panel(const PanelProduct<Weight>& p, float* scratch) {
  constexpr std::size_t kDepth = kDepthAtOnce<Dot, Weight>;
  float* const sums = scratch;
  [[maybe_unused]] float* const wide_panel = sums + kProductRowsAtOnce * kPanelCols;
  [[maybe_unused]] float* const wide_tile = wide_panel + kDepth * kPanelCols;
  const std::size_t tile = p.x.rows < kTileRows ? 1 : kTileRows;
  const std::size_t depth = slots<Dot>(p.x.cols);
  for (std::size_t k = 0; k < depth; k += kDepth) {
    const std::size_t length = depth - k < kDepth ? depth - k : kDepth;
    const Weight* const weights = p.panel + k * kPanelCols * Dot::kNumbers;
    const float* panel = reinterpret_cast<const float*>(weights);
    if constexpr (kWidens<Dot, Weight>) {
      widen({weights, length, kPanelCols}, wide_panel);
      panel = wide_panel;
    }
    for (std::size_t row = 0; row < p.x.rows; row += tile) {
      const std::size_t first = row + tile <= p.x.rows ? row : p.x.rows - tile;
      const auto block = p.x.row_block(first, tile).col_block(k * Dot::kNumbers, length * Dot::kNumbers);
      const void* x = block.data;
      std::size_t stride = p.x.stride / Dot::kNumbers;
      if constexpr (kWidens<Dot, Weight>) {
        widen(block, wide_tile);
        x = wide_tile;
        stride = length;
      }
      float* const tile_sums = depth <= kDepth ? sums : sums + row * kPanelCols;
      if (tile == 1) {
        sum_rows<Dot, 1>(x, stride, panel, length, tile_sums, k > 0);
      } else {
        sum_rows<Dot, kTileRows>(x, stride, panel, length, tile_sums, k > 0);
      }
      if (k + length == depth) {
        finish_rows(p, row, first + tile - row, tile_sums + (row - first) * kPanelCols, kPanelCols);
      }
    }
  }
}

template <class Weight>
struct DotOf;
template <>
struct DotOf<float> {
  using Type = FloatDot<float>;
  static constexpr int kSteps = 0;
};
template <>
struct DotOf<bfloat16> {
#ifdef RVM_SIMD_BF16
  using Type = PairDot;
#else
  using Type = FloatDot<float>;
#endif
  static constexpr int kSteps = 0;
};
template <>
struct DotOf<std::int8_t> {
  using Type = ByteDot;
  static constexpr int kSteps = ByteDot::kSteps;
};

template <class Dot, class Weight>
inline constexpr std::size_t kProductScratch =
    kProductRowsAtOnce* kPanelCols + (kWidens<Dot, Weight> ? kDepthAtOnce<Dot, Weight> * (kPanelCols + kTileRows) : 0);

template <class Weight, class Dot = typename DotOf<Weight>::Type>
inline constexpr ProductKernels<Weight> kProducts = {.multiply = &multiply_panel<Dot, Weight>,
                                                     .scratch = kProductScratch<Dot, Weight>,
                                                     .panel_cols = kPanelCols,
                                                     .slot = Dot::kNumbers,
                                                     .depth_grain = Dot::kNumbers,
                                                     .row_grain = kTileRows,
                                                     .byte_steps = DotOf<Weight>::kSteps};
