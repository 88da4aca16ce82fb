#pragma once

#include <cstddef>

#include <rvm/core/tensor.hpp>

namespace rvm {

/// What the model says of a frame: the recurrent state after it. Views of the stream's memory, valid until the next
/// call that changes the stream; copy what must last longer.
class Features {
 public:
  /// `values` [B, 1 + h * w, D], class token first.
  Features(TensorView<const float> values, std::size_t h, std::size_t w) : values_(values), h_(h), w_(w) {}

  /// Everything: [B, N, D] with N = 1 + h * w.
  TensorView<const float> values() const noexcept { return values_; }
  /// The dense features of one video of the batch: [h, w, D], one per patch.
  TensorView<const float> tokens(std::size_t video = 0) const {
    const std::size_t width = values_.shape()[2];
    return {values_[video].data() + width, {h_, w_, width}};
  }
  /// The class token of one video of the batch: [D].
  TensorView<const float> cls(std::size_t video = 0) const { return values_[video][0]; }

 private:
  TensorView<const float> values_;
  std::size_t h_;
  std::size_t w_;
};

}  // namespace rvm
