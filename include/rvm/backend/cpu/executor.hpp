#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/kernels.hpp>
#include <rvm/backend/host_executor.hpp>
#include <rvm/core/detail/partition.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/core/thread_team.hpp>

namespace rvm::detail {

/// The operations of concept.hpp but for the dense layers, on the host, with the vector unit that is there: the base of
/// the executors of the CPU backends. Cut into parts for a thread team; results do not depend on its size.
template <class Element>
class CpuExecutor : public HostExecutor {
 public:
  CpuExecutor(ThreadTeam& team, const CpuKernels<Element>& kernels) : HostExecutor(team), kernels_(&kernels) {}

  void patches(std::span<const FrameView> frames, MatrixView<Element> out) const {
    cut_patches(frames, out,
                [&](const float* patch, Element* row) { kernels_->convert(patch, nullptr, kPatchValues, row); });
  }

  template <class Out>
  void layer_norm(MatrixView<const float> x, const NormWeights& norm, MatrixView<Out> y) const {
    for_rows(x.rows, [&](std::size_t row) noexcept { normalize(x.row(row), norm, y.row(row)); });
  }

  void convert(MatrixView<const float> x, MatrixView<Element> y) const {
    for_rows(x.rows, [&](std::size_t row) noexcept { kernels_->convert(x.row(row), nullptr, x.cols, y.row(row)); });
  }

  void attention(const AttentionShape& shape, MatrixView<const Element> q, MatrixView<const Element> k,
                 MatrixView<const Element> v, MatrixView<Element> out) {
    const std::size_t keys_size = kernels_->packed_keys(shape.keys, shape.head_dim);
    const std::size_t packed_size = round_up(keys_size + kernels_->packed_values(shape.keys, shape.head_dim));
    const std::size_t scratch_size = round_up(kernels_->attention_scratch(shape.keys, shape.head_dim));
    // A part is one head of one group; its queries are split too where there are fewer heads than threads to feed.
    const std::size_t threads = team().size();
    const std::size_t heads = shape.batch * shape.heads;
    const std::size_t wanted = heads % threads == 0 ? 1 : (4 * threads + heads - 1) / heads;
    const std::size_t grain = kernels_->attention_rows;
    const std::size_t largest = std::max((shape.queries / wanted + grain - 1) / grain * grain, grain);
    const Partition blocks(shape.queries, std::min(largest, shape.queries), grain);
    // Keys and values of a head that is one part are packed into memory that stays in its core's cache; those of a head
    // that is several, before any of them begins.
    const bool split = blocks.count() > 1;
    const std::size_t room = threads * scratch_size + (split ? heads : threads) * packed_size;
    if (scratch_.size() < room) scratch_ = Tensor<float>({room});
    float* const packed = scratch_.data() + threads * scratch_size;
    const auto pack = [&](std::size_t head, float* to) noexcept {
      const std::size_t first = head / shape.heads * shape.keys;
      const std::size_t column = head % shape.heads * shape.head_dim;
      kernels_->pack_keys(k.row_block(first, shape.keys).col_block(column, shape.head_dim), to);
      kernels_->pack_values(v.row_block(first, shape.keys).col_block(column, shape.head_dim), to + keys_size);
    };
    if (split) {
      team().run(heads, [&](std::size_t head, std::size_t) noexcept { pack(head, packed + head * packed_size); });
    }
    team().run(heads * blocks.count(), [&](std::size_t part, std::size_t thread) noexcept {
      const std::size_t block = part % blocks.count();
      const std::size_t head = part / blocks.count();
      const std::size_t first = head / shape.heads * shape.queries + blocks.first(block);
      const std::size_t queries = blocks.length(block);
      const std::size_t column = head % shape.heads * shape.head_dim;
      float* const keys = packed + (split ? head : thread) * packed_size;
      if (!split) pack(head, keys);
      kernels_->attend({q.row_block(first, queries).col_block(column, shape.head_dim), keys, keys + keys_size,
                        shape.keys, out.row_block(first, queries).col_block(column, shape.head_dim),
                        scratch_.data() + thread * scratch_size});
    });
  }

  void reset_gate(MatrixView<const float> input_part, MatrixView<const float> state_part, MatrixView<const float> state,
                  const NormWeights& norm, MatrixView<Element> out) {
    const std::size_t per_thread = round_up(state.cols);
    if (rows_.size() < team().size() * per_thread) rows_ = Tensor<float>({team().size() * per_thread});
    for_rows(state.rows, [&](std::size_t row, std::size_t thread) noexcept {
      float* const normed = rows_.data() + thread * per_thread;
      normalize(state.row(row), norm, normed);
      kernels_->apply_gate(input_part.row(row), state_part.row(row), normed, state.cols, out.row(row));
    });
  }

  void update_gate(MatrixView<const float> input_part, MatrixView<const float> state_part,
                   MatrixView<const float> state, MatrixView<const float> x, const NormWeights& norm,
                   MatrixView<float> next) const {
    for_rows(state.rows, [&](std::size_t row) noexcept {
      normalize(x.row(row), norm, next.row(row));
      kernels_->update(input_part.row(row), state_part.row(row), state.row(row), state.cols, next.row(row));
    });
  }

 protected:
  const CpuKernels<Element>& kernels() const noexcept { return *kernels_; }

 private:
  // Whole cache lines, so that threads do not share one.
  static std::size_t round_up(std::size_t floats) { return (floats + 15) / 16 * 16; }

  template <class Out>
  void normalize(const float* x, const NormWeights& norm, Out* y) const {
    const float* const bias = norm.bias.empty() ? nullptr : norm.bias.data();
    if constexpr (std::same_as<Out, float>) {
      kernels_->layer_norm_wide(x, norm.scale.size(), norm.scale.data(), bias, norm.epsilon, y);
    } else {
      kernels_->layer_norm(x, norm.scale.size(), norm.scale.data(), bias, norm.epsilon, y);
    }
  }

  const CpuKernels<Element>* kernels_;
  Tensor<float> scratch_;  // [threads, scores of one head], then [heads or threads, packed keys and values of one]
  Tensor<float> rows_;     // [threads, one row]
};

}  // namespace rvm::detail
