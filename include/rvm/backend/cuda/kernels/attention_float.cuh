#pragma once

#include <rvm/backend/cuda/kernels/attention_arguments.cuh>

/// Attention in true float: products by fused multiply-adds of a tile of 4 queries by 4 keys a thread, softmax online.
/// 16 neighbouring threads share 4 queries. Keys and values come through shared memory, either while the other is used.
///
/// Floor: the larger of 4 batch heads queries keys head_dim operations / the float units' speed, and
/// 4 batch heads head_dim (2 queries + 2 keys) bytes / memory's bandwidth.
namespace rvm::detail::cuda {

/// How a block of float attention is divided.
template <int kDim_, int kRows_>
struct FloatAttentionBlock {
  static constexpr int kDim = kDim_;
  static constexpr int kRows = kRows_;  // queries
  static constexpr int kKeys = 64;      // of a tile
  static constexpr int kColumnThreads = 16;
  static constexpr int kThreads = kRows / 4 * kColumnThreads;
  static constexpr int kPitch = kDim + 4;  // 16 bytes more: eight rows then lie in different banks
  static constexpr int kWeightPitch = kKeys + 4;
  static constexpr std::size_t kSharedBytes =
      sizeof(float) * (std::size_t{kRows} * (kPitch + kWeightPitch) + 2 * std::size_t{kKeys} * kPitch);
};

/// The largest, or the sum, of 16 neighbouring threads' values.
RVM_DEVICE float row_max(float value) {
  RVM_UNROLL
  for (int mask = 8; mask > 0; mask /= 2) value = fmaxf(value, shuffle_xor(value, mask));
  return value;
}
RVM_DEVICE float row_sum(float value) {
  RVM_UNROLL
  for (int mask = 8; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

/// 4 queries (rows 4 y ... 4 y + 3 of the block, y = thread / 16) as seen by thread x = thread % 16: it computes the
/// scores of keys x + 16 j and the sums of columns x + 16 j.
template <class Block>
class FloatRows {
  static constexpr int kColumns = Block::kDim / 16;

 public:
  /// `weights`: room for the 4 rows' weights.
  RVM_DEVICE FloatRows(const float* queries, float* weights, float scale)
      : queries_(queries), weights_(weights), scale_(scale) {
    RVM_UNROLL
    for (int i = 0; i < 4; ++i) {
      largest_[i] = kNoScore;
      total_[i] = 0.0F;
      RVM_UNROLL
      for (int j = 0; j < kColumns; ++j) sums_[i][j] = 0.0F;
    }
  }

  /// Takes in `count` > 0 keys: leaves their weights for add_values.
  RVM_DEVICE void multiply_keys(const float* keys, int count) {
    const int x = thread_index() % 16;
    float scores[4][4] = {};
    for (int d = 0; d < Block::kDim; d += 4) {
      float query[4][4];
      RVM_UNROLL
      for (int i = 0; i < 4; ++i) load(queries_ + i * Block::kPitch + d, query[i]);
      RVM_UNROLL
      for (int j = 0; j < 4; ++j) {
        if (j * 16 >= count) break;
        float key[4];
        load(keys + (x + j * 16) * Block::kPitch + d, key);
        RVM_UNROLL
        for (int i = 0; i < 4; ++i) {
          RVM_UNROLL
          for (int k = 0; k < 4; ++k) scores[i][j] += query[i][k] * key[k];
        }
      }
    }
    RVM_UNROLL
    for (int i = 0; i < 4; ++i) {
      float most = kNoScore;
      RVM_UNROLL
      for (int j = 0; j < 4; ++j) {
        if (x + j * 16 >= count) scores[i][j] = kNoScore;
        most = fmaxf(most, scores[i][j]);
      }
      most = fmaxf(row_max(most), largest_[i]);
      const float shift = shift_of(most);
      const float factor = exp2f((largest_[i] - shift) * scale_);
      largest_[i] = most;
      float total = 0.0F;
      RVM_UNROLL
      for (int j = 0; j < 4; ++j) {
        const float weight = exp2f((scores[i][j] - shift) * scale_);
        weights_[i * Block::kWeightPitch + x + j * 16] = weight;
        total += weight;
      }
      total_[i] = total_[i] * factor + total;
      RVM_UNROLL
      for (int j = 0; j < kColumns; ++j) sums_[i][j] *= factor;
    }
  }

  /// Adds the same keys' values by their weights. A warp's threads see each other's weights.
  RVM_DEVICE void add_values(const float* values, int count) {
    const int x = thread_index() % 16;
    for (int key = 0; key < count; key += 4) {  // keys up to the next whole 16 are there, with weight 0
      float weight[4][4];
      RVM_UNROLL
      for (int i = 0; i < 4; ++i) load(static_cast<const float*>(weights_) + i * Block::kWeightPitch + key, weight[i]);
      RVM_UNROLL
      for (int k = 0; k < 4; ++k) {
        RVM_UNROLL
        for (int j = 0; j < kColumns; ++j) {
          const float value = values[(key + k) * Block::kPitch + x + j * 16];
          RVM_UNROLL
          for (int i = 0; i < 4; ++i) sums_[i][j] += weight[i][k] * value;
        }
      }
    }
  }

  /// Writes the first `rows` of the 4 rows.
  RVM_DEVICE void write(float* out, std::size_t stride, int rows, int head_dim) const {
    const int x = thread_index() % 16;
    RVM_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float inverse = 1.0F / row_sum(total_[i]);
      RVM_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        const int column = x + j * 16;
        if (i < rows && column < head_dim) out[static_cast<std::size_t>(i) * stride + column] = sums_[i][j] * inverse;
      }
    }
  }

 private:
  const float* queries_;
  float* weights_;
  float scale_;
  float sums_[4][kColumns];
  float largest_[4];
  float total_[4];  // of this thread's keys
};

template <class Block>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(Block::kThreads, 1) attend_float(AttentionArguments<float> a) {
  const std::size_t first_query = block_index_x() * Block::kRows;
  const std::size_t first_row = block_index_z() * a.queries + first_query;
  const std::size_t first_key = block_index_z() * a.keys;
  const std::size_t first_column = block_index_y() * static_cast<std::size_t>(a.head_dim);
  const std::size_t rows_left = a.queries - first_query;
  const int rows = rows_left < Block::kRows ? static_cast<int>(rows_left) : Block::kRows;

  auto* const queries = reinterpret_cast<float*>(shared_memory());
  float* const keys = queries + Block::kRows * Block::kPitch;
  float* const values = keys + Block::kKeys * Block::kPitch;
  float* const weights = values + Block::kKeys * Block::kPitch;

  const auto count_from = [&](std::size_t key) {
    const std::size_t left = key < a.keys ? a.keys - key : 0;
    return left < Block::kKeys ? static_cast<int>(left) : Block::kKeys;
  };
  const auto load_keys = [&](const Rows<const float>& from, std::size_t key, float* to) {
    load_tile<Block::kKeys, Block::kDim, Block::kPitch, Block::kThreads>(
        from.row(first_key + key) + first_column, from.stride, count_from(key), a.head_dim, a.aligned, to);
    commit_async();
  };

  load_tile<Block::kRows, Block::kDim, Block::kPitch, Block::kThreads>(a.q.row(first_row) + first_column, a.q.stride,
                                                                       rows, a.head_dim, a.aligned, queries);
  load_keys(a.k, 0, keys);
  const int row = thread_index() / Block::kColumnThreads * 4;
  FloatRows<Block> attention(queries + row * Block::kPitch, weights + row * Block::kWeightPitch, a.scale);
  for (std::size_t key = 0; key < a.keys; key += Block::kKeys) {
    load_keys(a.v, key, values);
    wait_async<1>();
    sync_block();  // keys are there
    attention.multiply_keys(keys, count_from(key));
    wait_async<0>();
    sync_block();  // values are there, keys no longer read
    load_keys(a.k, key + Block::kKeys, keys);
    attention.add_values(values, count_from(key));
    sync_block();  // values no longer read
  }
  attention.write(a.out.row(first_row + static_cast<std::size_t>(row)) + first_column, a.out.stride, rows - row,
                  a.head_dim);
}

template <class Block>
int launch_attention_block(CUstream_st* queue, const AttentionShape& shape,
                           const AttentionArguments<float>& arguments) {
  const Grid grid{ceil_divide(shape.queries, Block::kRows), shape.heads, shape.batch};
  return launch(attend_float<Block>, grid, Block::kThreads, Block::kSharedBytes, queue, arguments);
}

inline int launch_attention(CUstream_st* queue, const AttentionShape& shape,
                            const AttentionArguments<float>& arguments) {
  return with_head_dim(shape.head_dim, [&]<int kDim>() {
    constexpr std::size_t kMany = 256;  // blocks: about two for each multiprocessor of a large device
    using Large = FloatAttentionBlock<kDim, kDim <= 80 ? 64 : 32>;
    const std::size_t blocks = ceil_divide(shape.queries, Large::kRows) * shape.heads * shape.batch;
    return blocks >= kMany ? launch_attention_block<Large>(queue, shape, arguments)
                           : launch_attention_block<FloatAttentionBlock<kDim, 32>>(queue, shape, arguments);
  });
}

}  // namespace rvm::detail::cuda
