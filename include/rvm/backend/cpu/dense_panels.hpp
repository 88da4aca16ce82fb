#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/byte_weights.hpp>
#include <rvm/backend/cpu/product.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/core/thread_team.hpp>

namespace rvm::detail {

/// A dense layer's kernel packed for ProductKernels: panels of neighbouring columns, each in the order in which a
/// product reads it. `Weight` is float, bfloat16, or std::int8_t with a scale for every column. Immutable; shared by
/// all streams of a model.
template <class Weight>
class DensePanels {
 public:
  static constexpr bool kQuantized = std::same_as<Weight, std::int8_t>;

  /// Packs with the threads of `team`. Throws std::bad_alloc.
  DensePanels(const DenseWeights& weights, const ProductKernels<Weight>& kernels, ThreadTeam& team)
      : depth_(weights.kernel.shape()[0]),
        out_(weights.kernel.shape()[1]),
        slot_(kernels.slot),
        padded_((depth_ + kernels.depth_grain - 1) / kernels.depth_grain * kernels.depth_grain),
        panel_cols_(kernels.panel_cols),
        bias_({panel_count() * panel_cols_}),
        packed_({panel_count() * panel_size()}),
        scales_({kQuantized ? bias_.size() : 0}),
        sums_({kQuantized ? bias_.size() : 0}) {
    std::copy(weights.bias.begin(), weights.bias.end(), bias_.begin());
    team.run(panel_count(), [&](std::size_t panel, std::size_t) noexcept { pack(weights.kernel, panel); });
  }

  std::size_t in() const noexcept { return depth_; }
  std::size_t out() const noexcept { return out_; }
  /// in(), rounded up to what a product reads.
  std::size_t padded_in() const noexcept { return padded_; }
  std::size_t panel_count() const noexcept { return (out_ + panel_cols_ - 1) / panel_cols_; }

  /// What a product with one panel reads of the layer: its weights and its columns' parameters.
  PanelProduct<Weight> panel(std::size_t i) const {
    const std::size_t first = first_col(i);
    PanelProduct<Weight> product;
    product.panel = packed_.data() + i * panel_size();
    product.cols = std::min(panel_cols_, out_ - first);
    product.bias = bias_.data() + first;
    if constexpr (kQuantized) {
      product.column_scales = scales_.data() + first;
      product.column_sums = sums_.data() + first;
    }
    return product;
  }
  /// First column of a panel.
  std::size_t first_col(std::size_t i) const noexcept { return i * panel_cols_; }

 private:
  std::size_t panel_size() const noexcept { return padded_in() * panel_cols_; }

  void pack(const Tensor<float>& kernel, std::size_t panel) noexcept {
    const std::size_t first = first_col(panel);
    const std::size_t cols = std::min(panel_cols_, out_ - first);
    if constexpr (kQuantized) find_column_scales(kernel, first, cols, scales_.data() + first);
    Weight* const to = packed_.data() + panel * panel_size();
    for (std::size_t k = 0; k < depth_; ++k) {
      const float* const from = kernel.data() + k * out_ + first;
      Weight* const row = to + k / slot_ * panel_cols_ * slot_ + k % slot_;
      for (std::size_t j = 0; j < cols; ++j) row[j * slot_] = weight(from[j], first + j);
    }
  }

  Weight weight(float value, std::size_t column) noexcept {
    if constexpr (kQuantized) {
      const std::int8_t byte = byte_weight(value, scales_(column));
      sums_(column) += static_cast<float>(byte);
      return byte;
    } else {
      return Weight(value);
    }
  }

  std::size_t depth_;
  std::size_t out_;
  std::size_t slot_;
  std::size_t padded_;
  std::size_t panel_cols_;
  Tensor<float> bias_;     // [panels, panel columns], zero where there is none
  Tensor<Weight> packed_;  // [panels, padded depth / slot, panel columns, slot]
  Tensor<float> scales_;   // of bytes: the same shape
  Tensor<float> sums_;     // of bytes: the sum of each column
};

}  // namespace rvm::detail
