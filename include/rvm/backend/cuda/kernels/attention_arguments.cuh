#pragma once

#include <rvm/backend/cuda/kernels/device.cuh>

namespace rvm::detail::cuda {

/// Of one attention: block x takes some queries, block y is the head, block z the group.
template <class E>
struct AttentionArguments {
  Rows<const E> q;
  Rows<const E> k;
  Rows<const E> v;
  Rows<E> out;
  std::size_t queries;
  std::size_t keys;
  int head_dim;
  float scale;   // log2(e) / sqrt(head_dim): weights are powers of two
  bool aligned;  // whether q, k and v may be read 16 bytes at a time
};

inline constexpr float kNoScore = -INFINITY;

/// What scores are shifted by: their maximum, or anything finite while there is none.
RVM_DEVICE float shift_of(float largest) {
  return largest == kNoScore ? 0.0F : largest;
}

/// The first `rows` (at most kRows) rows of a head, rounded up to whole 16s, into shared memory as kDim columns, kPitch
/// apart; zeros beyond the rows and the head's columns. All kThreads threads call it; commit_async() follows.
template <int kRows, int kDim, int kPitch, int kThreads, class E>
RVM_DEVICE void load_tile(const E* from, std::size_t stride, int rows, int head_dim, bool aligned, E* to) {
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(E));
  constexpr int kChunks = kDim / kNumbers;  // of a row
  const int filled = (rows + 15) / 16 * 16;
  const int last = (filled < kRows ? filled : kRows) * kChunks;
  for (int i = thread_index(); i < last; i += kThreads) {
    const int row = i / kChunks;
    const int column = i % kChunks * kNumbers;
    E* const place = to + row * kPitch + column;
    const E* const source = from + static_cast<std::size_t>(row) * stride + column;
    if (aligned) {
      const bool valid = row < rows && column < head_dim;
      copy_async(place, valid ? source : from, valid);
    } else {
      RVM_UNROLL
      for (int j = 0; j < kNumbers; ++j) place[j] = row < rows && column + j < head_dim ? source[j] : E{};
    }
  }
}

/// The columns that kernels are compiled for: the fewest that are at least head_dim.
template <class Visit>
int with_head_dim(std::size_t head_dim, Visit visit) {
  if (head_dim <= 16) return visit.template operator()<16>();
  if (head_dim <= 32) return visit.template operator()<32>();
  if (head_dim <= 48) return visit.template operator()<48>();
  if (head_dim <= 64) return visit.template operator()<64>();
  if (head_dim <= 80) return visit.template operator()<80>();
  return visit.template operator()<128>();
}

template <class E>
AttentionArguments<E> attention_arguments(const AttentionShape& shape, MatrixView<const E> q, MatrixView<const E> k,
                                          MatrixView<const E> v, MatrixView<E> out) {
  constexpr float kLog2E = 1.44269504088896341F;
  constexpr std::size_t kNumbers = 16 / sizeof(E);
  const bool aligned = shape.head_dim % kNumbers == 0 && aligned_for(q.data, q.stride, kNumbers) &&
                       aligned_for(k.data, k.stride, kNumbers) && aligned_for(v.data, v.stride, kNumbers);
  return {rows_of(q),
          rows_of(k),
          rows_of(v),
          rows_of(out),
          shape.queries,
          shape.keys,
          static_cast<int>(shape.head_dim),
          kLog2E / std::sqrt(static_cast<float>(shape.head_dim)),
          aligned};
}

}  // namespace rvm::detail::cuda
