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
    const std::size_t values_size = kernels_->packed_values(shape.keys, shape.head_dim);
    const std::size_t scratch_size = kernels_->attention_scratch(shape.keys, shape.head_dim);
    const std::size_t per_thread = round_up(keys_size + values_size + scratch_size);
    if (scratch_.size() < team().size() * per_thread) scratch_ = Tensor<float>({team().size() * per_thread});
    // A part is one head of one group; its queries are split too where there are fewer heads than threads to feed. Each
    // part packs the head's keys and values for itself, into memory that stays in its core's cache.
    const std::size_t heads = shape.batch * shape.heads;
    const std::size_t wanted = heads % team().size() == 0 ? 1 : (4 * team().size() + heads - 1) / heads;
    const std::size_t grain = kernels_->attention_rows;
    const std::size_t largest = std::max((shape.queries / wanted + grain - 1) / grain * grain, grain);
    const Partition blocks(shape.queries, std::min(largest, shape.queries), grain);
    team().run(heads * blocks.count(), [&](std::size_t part, std::size_t thread) noexcept {
      const std::size_t block = part % blocks.count();
      const std::size_t column = part / blocks.count() % shape.heads * shape.head_dim;
      const std::size_t group = part / blocks.count() / shape.heads;
      const std::size_t first = group * shape.queries + blocks.first(block);
      const std::size_t queries = blocks.length(block);
      float* const keys = scratch_.data() + thread * per_thread;
      float* const values = keys + keys_size;
      kernels_->pack_keys(k.row_block(group * shape.keys, shape.keys).col_block(column, shape.head_dim), keys);
      kernels_->pack_values(v.row_block(group * shape.keys, shape.keys).col_block(column, shape.head_dim), values);
      kernels_->attend({q.row_block(first, queries).col_block(column, shape.head_dim), keys, values, shape.keys,
                        out.row_block(first, queries).col_block(column, shape.head_dim), values + values_size});
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
  Tensor<float> scratch_;  // [threads, packed keys and values and scores of one head]
  Tensor<float> rows_;     // [threads, one row]
};

}  // namespace rvm::detail
