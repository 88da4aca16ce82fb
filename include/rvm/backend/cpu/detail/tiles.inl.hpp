// No #pragma once: part of kernels.hpp. Products and attention with matrix tiles, in a namespace that uses the vectors
// of another. `Tiles` are a processor's (AmxTiles), or what takes their place in tests.
//
// A block of two by two tiles of sums, 32 rows and 32 columns, takes two tiles of rows and two of columns a step: 4
// loads for 4 products. A product takes 16 cycles and a load 8, with two lines of the first cache a cycle: loads take
// half of the products' time. The panel of 32 columns (32 kB at most) stays in the first cache while rows come from the
// second, 2 kB in 64 cycles.

inline constexpr std::size_t kTileBlock = 2 * kTileHeight;
static_assert(kProductRowsAtOnce % kTileBlock == 0);

// Keeps this thread's tiles, and leaves them as the host had them: unused.
template <class Tiles>
class TileScope {
 public:
  TileScope() = default;
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
  ~TileScope() {
    if (height_ != 0) Tiles::release();
  }
  // For blocks of this many rows.
  void set_height(std::size_t height) {
    if (height != height_) Tiles::configure(TileConfig(height));
    height_ = height;
  }

 private:
  std::size_t height_ = 0;
};

// An operand in memory: where it begins, and the bytes from one row to the next.
template <class Byte>
struct TileOperand {
  Byte* data;
  std::size_t stride;
  RVM_INLINE TileOperand offset(std::size_t rows, std::size_t bytes) const {
    return {data + rows * stride + bytes, stride};
  }
};
using TileSource = TileOperand<const char>;
using TileTarget = TileOperand<char>;

// sums = left * right, or += if `add`, for kRows by kCols tiles; a step is 64 bytes of the left operand's rows and 16
// rows of the right one. between() is called once a step, for work that the vector units do meanwhile.
template <class Tiles, class Dot, std::size_t kRows, std::size_t kCols, class Between>
void multiply_block_of_tiles(TileSource left, TileSource right, std::size_t steps, TileTarget sums, bool add,
                             const Between& between) {
  const TileTarget below = sums.offset(kTileHeight, 0);
  if (add) {
    Tiles::template load<kSumTile>(sums.data, sums.stride);
    if constexpr (kCols > 1) Tiles::template load<kSumTile + 1>(sums.data + kTileBytes, sums.stride);
    if constexpr (kRows > 1) Tiles::template load<kSumTile + 2>(below.data, sums.stride);
    if constexpr (kRows > 1 && kCols > 1) Tiles::template load<kSumTile + 3>(below.data + kTileBytes, sums.stride);
  } else {
    Tiles::template zero<kSumTile>();
    if constexpr (kCols > 1) Tiles::template zero<kSumTile + 1>();
    if constexpr (kRows > 1) Tiles::template zero<kSumTile + 2>();
    if constexpr (kRows > 1 && kCols > 1) Tiles::template zero<kSumTile + 3>();
  }
  for (std::size_t k = 0; k < steps; ++k) {
    Tiles::template load<kRightTile>(right.data, right.stride);
    Tiles::template load<kLeftTile>(left.data, left.stride);
    Dot::template add_tiles<Tiles, kSumTile, kLeftTile, kRightTile>();
    if constexpr (kCols > 1) {
      Tiles::template load<kRightTile + 1>(right.data + kTileBytes, right.stride);
      Dot::template add_tiles<Tiles, kSumTile + 1, kLeftTile, kRightTile + 1>();
    }
    if constexpr (kRows > 1) {
      Tiles::template load<kLeftTile + 1>(left.offset(kTileHeight, 0).data, left.stride);
      Dot::template add_tiles<Tiles, kSumTile + 2, kLeftTile + 1, kRightTile>();
      if constexpr (kCols > 1) Dot::template add_tiles<Tiles, kSumTile + 3, kLeftTile + 1, kRightTile + 1>();
    }
    between();
    left = left.offset(0, kTileBytes);
    right = right.offset(kTileHeight, 0);
  }
  Tiles::template store<kSumTile>(sums.data, sums.stride);
  if constexpr (kCols > 1) Tiles::template store<kSumTile + 1>(sums.data + kTileBytes, sums.stride);
  if constexpr (kRows > 1) Tiles::template store<kSumTile + 2>(below.data, sums.stride);
  if constexpr (kRows > 1 && kCols > 1) Tiles::template store<kSumTile + 3>(below.data + kTileBytes, sums.stride);
}

// The same for a block of at most 32 rows and columns.
template <class Tiles, class Dot, class Between>
void multiply_tiles(std::size_t rows, std::size_t cols, TileSource left, TileSource right, std::size_t steps,
                    TileTarget sums, bool add, const Between& between) {
  if (rows <= kTileHeight) {
    if (cols <= kTileWidth) {
      multiply_block_of_tiles<Tiles, Dot, 1, 1>(left, right, steps, sums, add, between);
    } else {
      multiply_block_of_tiles<Tiles, Dot, 1, 2>(left, right, steps, sums, add, between);
    }
  } else if (cols <= kTileWidth) {
    multiply_block_of_tiles<Tiles, Dot, 2, 1>(left, right, steps, sums, add, between);
  } else {
    multiply_block_of_tiles<Tiles, Dot, 2, 2>(left, right, steps, sums, add, between);
  }
}

struct TilePairs : PairDot {
  static constexpr std::size_t kDepthGrain = kTileHeight;
  static constexpr std::size_t kColumnGrain = kTileWidth;
  template <class Tiles, int kSums, int kLeft, int kRight>
  RVM_INLINE static void add_tiles() {
    Tiles::template add_pairs<kSums, kLeft, kRight>();
  }
};

struct TileBytes : ByteDot {
  static constexpr int kSteps = 255;
  static constexpr std::size_t kDepthGrain = kTileHeight;
  static constexpr std::size_t kColumnGrain = kTileWidth;
  template <class Tiles, int kSums, int kLeft, int kRight>
  RVM_INLINE static void add_tiles() {
    Tiles::template add_bytes<kSums, kLeft, kRight>();
  }
};

template <class Weight>
using TileDot = std::conditional_t<std::same_as<Weight, bfloat16>, TilePairs, TileBytes>;

// Rows whose sums are ready, and which are finished little by little while the next block is multiplied.
template <class Weight>
struct UnfinishedRows {
  const PanelProduct<Weight>* product;
  std::size_t row = 0;
  std::size_t count = 0;
  const float* sums = nullptr;

  void finish(std::size_t most) {
    const std::size_t rows = count < most ? count : most;
    if (rows == 0) return;
    finish_rows<Weight, true>(*product, row, rows, sums, kTileBlock);
    row += rows;
    count -= rows;
    sums += rows * kTileBlock;
  }
};

// Blocks of 32 rows with one panel of 32 columns. The last block overlaps with the one before: setting the tiles up for
// fewer rows takes as long as it saves. What follows the sums of a block is done during the next.
template <class Tiles, class Weight>
void multiply_panel_with_tiles(const PanelProduct<Weight>& p, float* sums) {
  using Dot = TileDot<Weight>;
  constexpr std::size_t kSteps = 16;  // whose part of the panel stays in the first cache while rows go by
  constexpr std::size_t kStride = kTileBlock * sizeof(float);
  const std::size_t steps = slots<Dot>(p.x.cols) / kTileHeight;
  const std::size_t x_stride = p.x.stride * sizeof(*p.x.data);
  TileSource panel{reinterpret_cast<const char*>(p.panel), kStride};
  UnfinishedRows<Weight> unfinished{&p};
  const std::size_t rows = p.x.rows < kTileBlock ? p.x.rows : kTileBlock;
  TileScope<Tiles> tiles;
  tiles.set_height(rows);
  for (std::size_t k = 0; k < steps; k += kSteps, panel = panel.offset(kSteps * kTileHeight, 0)) {
    const std::size_t length = steps - k < kSteps ? steps - k : kSteps;
    for (std::size_t row = 0; row < p.x.rows; row += kTileBlock) {
      const std::size_t first = row + rows <= p.x.rows ? row : p.x.rows - rows;
      // Two places in turn where sums are ready at once.
      float* const block_sums = sums + (steps <= kSteps ? row % (2 * kTileBlock) : row) * kTileBlock;
      const TileSource x{reinterpret_cast<const char*>(p.x.row(first)) + k * kTileBytes, x_stride};
      const std::size_t share = (kTileBlock + length - 1) / length;
      multiply_tiles<Tiles, Dot>(
          rows, p.cols, x, panel, length, {reinterpret_cast<char*>(block_sums), kStride},
          k > 0, [&]() __attribute__((always_inline)) { unfinished.finish(share); });
      if (k + length < steps) continue;
      unfinished.finish(kTileBlock);
      unfinished = {&p, row, first + rows - row, block_sums + (row - first) * kTileBlock};
    }
  }
  unfinished.finish(kTileBlock);
}

template <class Tiles>
void attend_with_tiles(const AttentionBlock<bfloat16>& block) {
  using Dot = TilePairs;
  const std::size_t head_dim = block.queries.cols;
  const std::size_t query_slots = slots<Dot>(head_dim);
  const std::size_t key_slots = slots<Dot>(block.key_count);
  const std::size_t key_stride = whole_columns<Dot>(block.key_count);
  const std::size_t value_stride = whole_columns<Dot>(head_dim);
  float* const scores = block.scratch;
  float* const queries = scores + kTileBlock * key_stride;
  float* const sums = queries + kTileBlock * query_slots;
  const float scale = score_scale(head_dim);
  const auto bytes_of_row = [](std::size_t slots_of_row) { return slots_of_row * sizeof(float); };
  TileScope<Tiles> tiles;
  // rows of `left` times all columns of `right`
  const auto multiply = [&](std::size_t rows, const float* left, std::size_t left_stride, const float* right,
                            std::size_t depth, std::size_t cols, float* to) {
    for (std::size_t c = 0; c < cols; c += kTileBlock) {
      multiply_tiles<Tiles, Dot>(rows, cols - c, {reinterpret_cast<const char*>(left), bytes_of_row(left_stride)},
                                 {reinterpret_cast<const char*>(right + c), bytes_of_row(cols)}, depth / kTileHeight,
                                 {reinterpret_cast<char*>(to + c), bytes_of_row(cols)}, false,
                                 []() __attribute__((always_inline)){});
    }
  };
  for (std::size_t row = 0; row < block.queries.rows; row += kTileBlock) {
    const std::size_t rows = block.queries.rows - row < kTileBlock ? block.queries.rows - row : kTileBlock;
    tiles.set_height(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      pack_query<Dot>(block.queries.row(row + r), head_dim, queries + r * query_slots);
    }
    multiply(rows, queries, query_slots, block.keys, query_slots, key_stride, scores);
    float inverse[kTileBlock];
    for (std::size_t r = 0; r < rows; ++r) {
      float* const weights = scores + r * key_stride;
      inverse[r] = soften<Dot>(weights, block.key_count, key_stride, scale);
      auto* const numbers = reinterpret_cast<unsigned char*>(weights);
      std::fill(numbers + block.key_count * sizeof(bfloat16), numbers + key_slots * sizeof(float), std::uint8_t{0});
    }
    multiply(rows, scores, key_stride, block.values, key_slots, value_stride, sums);
    for (std::size_t r = 0; r < rows; ++r) {
      store_scaled(sums + r * value_stride, inverse[r], head_dim, block.out.row(row + r));
    }
  }
}

template <class Tiles, class Weight, class Dot = TileDot<Weight>>
inline constexpr ProductKernels<Weight> kTileProducts = {
    .multiply = &multiply_panel_with_tiles<Tiles, Weight>,
    .scratch = kProductRowsAtOnce* kTileBlock,
    .panel_cols = kTileBlock,
    .slot = Dot::kNumbers,
    .depth_grain = Dot::kNumbers* Dot::kDepthGrain,
    .row_grain = kTileBlock,
    .byte_steps = std::same_as<Weight, std::int8_t> ? TileBytes::kSteps : 0};

template <class Tiles>
inline constexpr CpuKernels<bfloat16> kTileKernels = [] {
  CpuKernels<bfloat16> kernels = kKernels<bfloat16>;
  kernels.pack_keys = &pack_keys<TilePairs, bfloat16>;
  kernels.pack_values = &pack_values<TilePairs, bfloat16>;
  kernels.attend = &attend_with_tiles<Tiles>;
  kernels.packed_keys = &packed_keys_size<TilePairs>;
  kernels.packed_values = &packed_values_size<TilePairs>;
  kernels.attention_scratch = &scratch_size<TilePairs, kTileBlock>;
  kernels.attention_rows = kTileBlock;
  return kernels;
}();
