#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <rvm/backend/concept.hpp>
#include <rvm/core/detail/finite.hpp>
#include <rvm/core/tensor.hpp>

// Weights as bytes, each column with a scale of its own.
namespace rvm::detail {

inline constexpr float kLargestWeight = 127.0F;

/// Products of a byte of at most 255 with a byte of a weight that certainly fit 32 bits together.
inline constexpr std::size_t kByteDepth = (std::size_t{1} << 31) / (255 * 127);

/// Whether a layer may be put into bytes.
inline bool fits_bytes(const DenseWeights& weights) noexcept {
  return !weights.sensitive && weights.kernel.shape()[0] <= kByteDepth;
}

/// The scales of `cols` columns of a kernel [in, out] from `first` on: the finest with which each fits a byte; zero for
/// a column of zeros, and not finite for one that holds such a number.
inline void find_column_scales(const Tensor<float>& kernel, std::size_t first, std::size_t cols, float* scales) {
  std::fill_n(scales, cols, 0.0F);
  for (std::size_t k = 0; k < kernel.shape()[0]; ++k) {
    const float* const row = kernel.data() + k * kernel.shape()[1] + first;
    for (std::size_t j = 0; j < cols; ++j) {
      const float scale = std::abs(row[j]) / kLargestWeight;
      if (!(scale <= scales[j]) && scales[j] == scales[j]) scales[j] = scale;
    }
  }
}

/// A weight of a column with that scale, rounded to nearest.
inline std::int8_t byte_weight(float value, float scale) {
  const float scaled = scale > 0 && is_finite(scale) ? value / scale : 0.0F;
  return static_cast<std::int8_t>(std::lround(std::clamp(scaled, -kLargestWeight, kLargestWeight)));
}

}  // namespace rvm::detail
