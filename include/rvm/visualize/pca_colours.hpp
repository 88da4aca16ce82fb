#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/image.hpp>
#include <rvm/visualize/pca.hpp>

namespace rvm {

/// Colours for dense features: the first three principal components as red, green and blue, each spread over [0, 1] so
/// that all but 1 % of the fitted features at either end are told apart. The same feature has the same colour in every
/// frame. Immutable once fitted; safe to use from several threads.
class PcaColours {
 public:
  /// Fits components and ranges to features [..., D] of one frame or many. Throws ArgumentError if there are none or D
  /// is below 3.
  explicit PcaColours(TensorView<const float> features) : pca_(rows_of(features), kChannels) {
    const MatrixView<const float> x = rows_of(features);
    Tensor<float> projected({x.rows, kChannels});
    pca_.project(x, rows_of(projected.view()));
    std::vector<float> values(x.rows);
    for (std::size_t c = 0; c < kChannels; ++c) {
      for (std::size_t i = 0; i < x.rows; ++i) values[i] = projected(i, c);
      std::sort(values.begin(), values.end());
      const std::size_t tail = values.size() / 100;
      ranges_[c] = {values[tail], values[values.size() - 1 - tail]};
    }
  }

  const Pca& pca() const noexcept { return pca_; }

  /// Features [h, w, D] -> an image of floats [h, w, 3] in [0, 1]. Throws ArgumentError if D is another.
  Image operator()(TensorView<const float> features) const {
    if (features.shape().rank() != 3) {
      throw ArgumentError("colours need features [h, w, D], found " + to_string(features.shape()));
    }
    Image image(features.shape()[0], features.shape()[1], PixelFormat::kRgbFloat);
    pca_.project(rows_of(features), rows_of(image.floats()));
    float* value = image.floats().data();
    for (std::size_t i = 0; i < image.floats().size(); ++i, ++value) {
      const auto [low, high] = ranges_[i % kChannels];
      *value = high > low ? std::clamp((*value - low) / (high - low), 0.0F, 1.0F) : 0.5F;
    }
    return image;
  }

 private:
  static constexpr std::size_t kChannels = 3;

  template <class T>
  static MatrixView<T> rows_of(TensorView<T> x) {
    const std::size_t width = x.shape().rank() == 0 ? 0 : x.shape()[x.shape().rank() - 1];
    return {x.data(), width == 0 ? 0 : x.size() / width, width};
  }

  Pca pca_;
  std::array<std::pair<float, float>, kChannels> ranges_{};
};

}  // namespace rvm
