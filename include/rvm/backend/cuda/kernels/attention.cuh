#pragma once

#include <rvm/backend/cuda/kernels/attention_arguments.cuh>

/// Attention on tensor cores, for bfloat16 and float16: scores, softmax and sums of a few queries stay in registers
/// while keys and values stream through shared memory, once.
///
/// A block's warps form a grid: kRowWarps side by side take queries (kRowTiles times 16 each), kKeyWarps take every
/// kKeyWarps-th tile of kKeys keys, and what these find is merged in the end. Many queries fill the device by
/// themselves: kKeyWarps = 1. Few are finished sooner by more warps each. Keys beyond the last 16 that exist, and
/// queries beyond the last 16, are not computed.
///
/// Floor: the larger of 4 batch heads queries keys head_dim operations / the tensor cores' speed, and
/// 2 batch heads head_dim (2 queries + 2 keys) bytes / memory's bandwidth; besides, batch heads queries keys powers of
/// two / (16 a cycle and SM).
namespace rvm::detail::cuda {

/// How a block of tensor-core attention is divided.
template <int kDim_, int kRowTiles_, int kRowWarps_, int kKeyWarps_, int kKeys_>
struct AttentionBlock {
  static constexpr int kDim = kDim_;
  static constexpr int kRowTiles = kRowTiles_;
  static constexpr int kRowWarps = kRowWarps_;
  static constexpr int kKeyWarps = kKeyWarps_;
  static constexpr int kKeys = kKeys_;
  static constexpr int kThreads = kWarpSize * kRowWarps * kKeyWarps;
  static constexpr int kRows = 16 * kRowTiles * kRowWarps;
  static constexpr int kStageKeys = kKeys * kKeyWarps;
  // 16 bytes more than the numbers: eight rows then lie in different banks.
  static constexpr int kPitch = kDim + 8;
  static constexpr int kSumPitch = kDim + 8;

  // Shared memory: queries, then keys and values of two stages; in the end, the sums of each key warp in their place.
  static constexpr int kTile = kStageKeys * kPitch;
  static constexpr std::size_t kTileBytes = 2 * (std::size_t{kRows} * kPitch + 4 * std::size_t{kTile});
  static constexpr std::size_t kSumBytes = sizeof(float) * kKeyWarps * kRows * (std::size_t{kSumPitch} + 2);
  static constexpr std::size_t kSharedBytes = kTileBytes > kSumBytes ? kTileBytes : kSumBytes;
};

/// What a warp knows of 16 * kRowTiles queries. Lane 4 g + t holds, of every tile of 16 rows, rows g and g + 8, and of
/// every 8 columns, columns 2 t and 2 t + 1.
template <class E, class Block>
class WarpAttention {
  static constexpr int kSteps = Block::kDim / 16;
  static constexpr int kRowTiles = Block::kRowTiles;
  static constexpr int kKeyTiles = Block::kKeys / 8;

 public:
  /// `queries`: the warp's first row in shared memory.
  RVM_DEVICE WarpAttention(const E* queries, float scale) : scale_(scale) {
    const int lane = thread_index() % kWarpSize;
    RVM_UNROLL
    for (int r = 0; r < kRowTiles; ++r) {
      RVM_UNROLL
      for (int step = 0; step < kSteps; ++step) {
        const E* const rows = queries + (r * 16 + lane % 16) * Block::kPitch;
        load_matrices(queries_[r][step], rows + step * 16 + lane / 16 * 8);
      }
    }
    RVM_UNROLL
    for (int r = 0; r < kRowTiles; ++r) {
      RVM_UNROLL
      for (int half = 0; half < 2; ++half) {
        largest_[r][half] = kNoScore;
        total_[r][half] = 0.0F;
      }
      RVM_UNROLL
      for (int d = 0; d < Block::kDim / 8; ++d) {
        RVM_UNROLL
        for (int i = 0; i < 4; ++i) sums_[r][d][i] = 0.0F;
      }
    }
  }

  /// Takes in `count` > 0 keys, at most kKeys, and their values, for the first kTiles tiles of queries.
  template <int kTiles>
  RVM_DEVICE void attend(const E* keys, const E* values, int count) {
    float scores[kTiles][kKeyTiles][4];
    multiply_keys<kTiles>(keys, count, scores);
    RVM_UNROLL
    for (int r = 0; r < kTiles; ++r) weigh(count, r, scores[r]);
    add_values<kTiles>(values, count, scores);
  }

  /// Writes the sums, undivided, and for each row its largest score and total weight.
  RVM_DEVICE void write(float* sums, float* largest, float* total) {
    const int lane = thread_index() % kWarpSize;
    RVM_UNROLL
    for (int r = 0; r < kRowTiles; ++r) {
      RVM_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int row = r * 16 + half * 8 + lane / 4;
        float weight = total_[r][half];
        weight += shuffle_xor(weight, 1);
        weight += shuffle_xor(weight, 2);
        if (lane % 4 == 0) {
          largest[row] = largest_[r][half];
          total[row] = weight;
        }
        RVM_UNROLL
        for (int d = 0; d < Block::kDim / 8; ++d) {
          const float pair[2] = {sums_[r][d][2 * half], sums_[r][d][2 * half + 1]};
          store(pair, sums + row * Block::kSumPitch + d * 8 + lane % 4 * 2);
        }
      }
    }
  }

 private:
  template <int kTiles>
  RVM_DEVICE void multiply_keys(const E* keys, int count, float (&scores)[kTiles][kKeyTiles][4]) const {
    const int lane = thread_index() % kWarpSize;
    const E* const place = keys + (lane / 16 * 8 + lane % 8) * Block::kPitch + lane / 8 % 2 * 8;
    RVM_UNROLL
    for (int pair = 0; pair < kKeyTiles / 2; ++pair) {
      const bool exists = pair * 16 < count;
      RVM_UNROLL
      for (int r = 0; r < kTiles; ++r) {
        RVM_UNROLL
        for (int i = 0; i < 4; ++i) {
          scores[r][2 * pair][i] = exists ? 0.0F : kNoScore;
          scores[r][2 * pair + 1][i] = exists ? 0.0F : kNoScore;
        }
      }
      if (!exists) continue;
      RVM_UNROLL
      for (int step = 0; step < kSteps; ++step) {
        std::uint32_t key[4];
        load_matrices(key, place + pair * 16 * Block::kPitch + step * 16);
        RVM_UNROLL
        for (int r = 0; r < kTiles; ++r) {
          multiply_add<E>(scores[r][2 * pair], queries_[r][step], key[0], key[1]);
          multiply_add<E>(scores[r][2 * pair + 1], queries_[r][step], key[2], key[3]);
        }
      }
    }
  }

  // Scores to weights; what was found before is scaled to the new maximum.
  RVM_DEVICE void weigh(int count, int r, float (&scores)[kKeyTiles][4]) {
    const int first = thread_index() % 4 * 2;
    if (count < Block::kKeys) {
      RVM_UNROLL
      for (int tile = 0; tile < kKeyTiles; ++tile) {
        RVM_UNROLL
        for (int i = 0; i < 4; ++i) {
          if (tile * 8 + first + i % 2 >= count) scores[tile][i] = kNoScore;
        }
      }
    }
    RVM_UNROLL
    for (int half = 0; half < 2; ++half) {
      float most = kNoScore;
      RVM_UNROLL
      for (int tile = 0; tile < kKeyTiles; ++tile) {
        most = fmaxf(most, fmaxf(scores[tile][2 * half], scores[tile][2 * half + 1]));
      }
      most = fmaxf(most, shuffle_xor(most, 1));
      most = fmaxf(most, shuffle_xor(most, 2));
      most = fmaxf(most, largest_[r][half]);
      const float shift = shift_of(most) * scale_;
      const float factor = exp2_approximate(largest_[r][half] * scale_ - shift);
      largest_[r][half] = most;
      float total = 0.0F;
      RVM_UNROLL
      for (int tile = 0; tile < kKeyTiles; ++tile) {
        RVM_UNROLL
        for (int i = 0; i < 2; ++i) {
          float& score = scores[tile][2 * half + i];
          score = exp2_approximate(score * scale_ - shift);
          total += score;
        }
      }
      total_[r][half] = total_[r][half] * factor + total;
      RVM_UNROLL
      for (int d = 0; d < Block::kDim / 8; ++d) {
        sums_[r][d][2 * half] *= factor;
        sums_[r][d][2 * half + 1] *= factor;
      }
    }
  }

  template <int kTiles>
  RVM_DEVICE void add_values(const E* values, int count, const float (&weights)[kTiles][kKeyTiles][4]) {
    const int lane = thread_index() % kWarpSize;
    const E* const place = values + (lane / 8 % 2 * 8 + lane % 8) * Block::kPitch + lane / 16 * 8;
    RVM_UNROLL
    for (int pair = 0; pair < kKeyTiles / 2; ++pair) {
      if (pair * 16 >= count) break;
      std::uint32_t weight[kTiles][4];  // the layout of a product's result is that of its left factor
      RVM_UNROLL
      for (int r = 0; r < kTiles; ++r) {
        RVM_UNROLL
        for (int i = 0; i < 4; ++i) {
          const float(&tile)[4] = weights[r][2 * pair + i / 2];
          weight[r][i] = pack<E>(tile[i % 2 * 2], tile[i % 2 * 2 + 1]);
        }
      }
      RVM_UNROLL
      for (int step = 0; step < kSteps; ++step) {
        std::uint32_t value[4];
        load_matrices_transposed(value, place + pair * 16 * Block::kPitch + step * 16);
        RVM_UNROLL
        for (int r = 0; r < kTiles; ++r) {
          multiply_add<E>(sums_[r][2 * step], weight[r], value[0], value[1]);
          multiply_add<E>(sums_[r][2 * step + 1], weight[r], value[2], value[3]);
        }
      }
    }
  }

  float scale_;
  std::uint32_t queries_[kRowTiles][kSteps][4];
  float sums_[kRowTiles][Block::kDim / 8][4];
  float largest_[kRowTiles][2];
  float total_[kRowTiles][2];  // of this lane's columns
};

/// What the key warps found of each row, merged, divided and written.
template <class E, class Block>
RVM_DEVICE void merge_rows(const AttentionArguments<E>& a, std::size_t first_row, int rows, std::size_t first_column,
                           const float* sums, const float* largest, const float* total) {
  constexpr int kPairs = Block::kDim / 2;
  const bool paired = a.head_dim % 2 == 0 && a.out.stride % 2 == 0 &&
                      reinterpret_cast<std::uintptr_t>(a.out.data + first_column) % (2 * sizeof(E)) == 0;
  for (int i = thread_index(); i < rows * kPairs; i += Block::kThreads) {
    const int row = i / kPairs;
    const int column = i % kPairs * 2;
    if (column >= a.head_dim) continue;
    float most = kNoScore;
    RVM_UNROLL
    for (int w = 0; w < Block::kKeyWarps; ++w) most = fmaxf(most, largest[w * Block::kRows + row]);
    const float shift = shift_of(most) * a.scale;
    float weight = 0.0F;
    float sum[2] = {};
    RVM_UNROLL
    for (int w = 0; w < Block::kKeyWarps; ++w) {
      const int place = w * Block::kRows + row;
      const float factor = exp2_approximate(largest[place] * a.scale - shift);
      float pair[2];
      load(sums + place * Block::kSumPitch + column, pair);
      weight += factor * total[place];
      sum[0] += factor * pair[0];
      sum[1] += factor * pair[1];
    }
    const float inverse = 1.0F / weight;
    const float result[2] = {sum[0] * inverse, sum[1] * inverse};
    E* const to = a.out.row(first_row + static_cast<std::size_t>(row)) + first_column + column;
    if (paired) {
      store(result, to);
    } else {
      to[0] = from_float<E>(result[0]);
      if (column + 1 < a.head_dim) to[1] = from_float<E>(result[1]);
    }
  }
}

template <class E, class Block>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(Block::kThreads, 1) attend(AttentionArguments<E> a) {
  const int warp = thread_index() / kWarpSize;
  const int row_warp = warp % Block::kRowWarps;
  const int key_warp = warp / Block::kRowWarps;
  const std::size_t first_query = block_index_x() * Block::kRows;
  const std::size_t first_row = block_index_z() * a.queries + first_query;
  const std::size_t first_key = block_index_z() * a.keys;
  const std::size_t first_column = block_index_y() * static_cast<std::size_t>(a.head_dim);
  const std::size_t rows_left = a.queries - first_query;
  const int rows = rows_left < Block::kRows ? static_cast<int>(rows_left) : Block::kRows;

  auto* const queries = reinterpret_cast<E*>(shared_memory());
  E* const keys = queries + Block::kRows * Block::kPitch;  // of stage s: keys + s % 2 * kTile
  E* const values = keys + 2 * Block::kTile;

  const auto keys_from = [&](std::size_t key) {  // that exist, of a stage
    const std::size_t left = key < a.keys ? a.keys - key : 0;
    return left < Block::kStageKeys ? static_cast<int>(left) : Block::kStageKeys;
  };
  const auto load_stage = [&](std::size_t stage) {
    const std::size_t key = stage * Block::kStageKeys;
    const int place = static_cast<int>(stage % 2) * Block::kTile;
    load_tile<Block::kStageKeys, Block::kDim, Block::kPitch, Block::kThreads>(
        a.k.row(first_key + key) + first_column, a.k.stride, keys_from(key), a.head_dim, a.aligned, keys + place);
    load_tile<Block::kStageKeys, Block::kDim, Block::kPitch, Block::kThreads>(
        a.v.row(first_key + key) + first_column, a.v.stride, keys_from(key), a.head_dim, a.aligned, values + place);
  };

  load_tile<Block::kRows, Block::kDim, Block::kPitch, Block::kThreads>(a.q.row(first_row) + first_column, a.q.stride,
                                                                       rows, a.head_dim, a.aligned, queries);
  commit_async();
  load_stage(0);
  commit_async();
  wait_async<1>();
  sync_block();
  const int warp_row = row_warp * 16 * Block::kRowTiles;
  const int tiles_left = (rows - warp_row + 15) / 16;
  const int row_tiles = tiles_left < 0 ? 0 : tiles_left < Block::kRowTiles ? tiles_left : Block::kRowTiles;
  WarpAttention<E, Block> attention(queries + warp_row * Block::kPitch, a.scale);

  const std::size_t stages = (a.keys + Block::kStageKeys - 1) / Block::kStageKeys;
  for (std::size_t stage = 0; stage < stages; ++stage) {
    if (stage + 1 < stages) load_stage(stage + 1);
    commit_async();
    wait_async<1>();
    sync_block();
    const int left = keys_from(stage * Block::kStageKeys) - key_warp * Block::kKeys;
    const int count = left < Block::kKeys ? left : Block::kKeys;
    const int place = static_cast<int>(stage % 2) * Block::kTile + key_warp * Block::kKeys * Block::kPitch;
    if (count > 0 && row_tiles == 1) attention.template attend<1>(keys + place, values + place, count);
    if constexpr (Block::kRowTiles == 2) {
      if (count > 0 && row_tiles == 2) attention.template attend<2>(keys + place, values + place, count);
    }
    sync_block();
  }

  auto* const sums = reinterpret_cast<float*>(shared_memory());
  float* const largest = sums + Block::kKeyWarps * Block::kRows * Block::kSumPitch;
  float* const total = largest + Block::kKeyWarps * Block::kRows;
  const int place = key_warp * Block::kRows + warp_row;
  attention.write(sums + place * Block::kSumPitch, largest + place, total + place);
  sync_block();
  merge_rows<E, Block>(a, first_row, rows, first_column, sums, largest, total);
}

template <class Block, class E>
int launch_attention_block(CUstream_st* queue, const AttentionShape& shape, const AttentionArguments<E>& arguments) {
  const Grid grid{ceil_divide(shape.queries, Block::kRows), shape.heads, shape.batch};
  return launch(attend<E, Block>, grid, Block::kThreads, Block::kSharedBytes, queue, arguments);
}

/// The more queries share a block, the less often keys and values are read.
template <int kDim>
using ManyQueries = AttentionBlock<kDim, kDim <= 80 ? 2 : 1, 4, 1, kDim <= 64 ? 64 : 32>;
template <int kDim>
using SomeQueries = AttentionBlock<kDim, kDim <= 80 ? 2 : 1, 2, 2, 32>;
template <int kDim>
using FewQueries = AttentionBlock<kDim, 1, 2, kDim <= 80 ? 4 : 2, 32>;

template <class E>
int launch_attention(CUstream_st* queue, const AttentionShape& shape, const AttentionArguments<E>& arguments) {
  constexpr std::size_t kEnough = 128;  // blocks: about one for each multiprocessor of a large device
  const auto enough = [&](std::size_t rows) {
    return ceil_divide(shape.queries, rows) * shape.heads * shape.batch >= kEnough;
  };
  return with_head_dim(shape.head_dim, [&]<int kDim>() {
    using Many = ManyQueries<kDim>;
    using Some = SomeQueries<kDim>;
    using Few = FewQueries<kDim>;
    if (enough(Many::kRows)) return launch_attention_block<Many>(queue, shape, arguments);
    if (enough(Some::kRows)) return launch_attention_block<Some>(queue, shape, arguments);
    return launch_attention_block<Few>(queue, shape, arguments);
  });
}

}  // namespace rvm::detail::cuda
