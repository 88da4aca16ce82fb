#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include <rvm/core/tensor.hpp>
#include <rvm/tracking/detail/affinity_kernels.hpp>

namespace rvm::detail {

/// A grid of h x w tokens cut into tiles of 4 x 4; those at the lower and right edge may be part empty.
class TokenTiles {
 public:
  static constexpr std::size_t kSide = 4;
  static_assert(kSide * kSide == kTileTokens);

  TokenTiles(std::size_t h, std::size_t w)
      : h_(h), w_(w), rows_((h + kSide - 1) / kSide), columns_((w + kSide - 1) / kSide) {}

  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }
  std::size_t count() const noexcept { return rows_ * columns_; }

  /// Where a tile's place is on the grid.
  std::size_t y(std::size_t tile, std::size_t place) const noexcept { return tile / columns_ * kSide + place / kSide; }
  std::size_t x(std::size_t tile, std::size_t place) const noexcept { return tile % columns_ * kSide + place % kSide; }
  bool holds_token(std::size_t tile, std::size_t place) const noexcept {
    return y(tile, place) < h_ && x(tile, place) < w_;
  }
  /// Row by row over the grid.
  std::size_t token(std::size_t tile, std::size_t place) const noexcept { return y(tile, place) * w_ + x(tile, place); }

  static std::size_t difference(std::size_t a, std::size_t b) noexcept { return a > b ? a - b : b - a; }
  /// The least difference between tokens' coordinates in two rows or two columns of tiles.
  static std::size_t gap(std::size_t a, std::size_t b) noexcept {
    return a == b ? 0 : (difference(a, b) - 1) * kSide + 1;
  }

 private:
  std::size_t h_;
  std::size_t w_;
  std::size_t rows_;
  std::size_t columns_;
};

/// One frame's tokens as they are compared: rows of unit length in float, and the same in 16-bit fixed point, tile by
/// tile, for finding out fast which are worth comparing in float.
class TokenFeatures {
 public:
  /// What 1 is in fixed point. The dot product of two unit vectors fits 32 bits.
  static constexpr double kOne = 32767.0;

  TokenFeatures(const TokenTiles& tiles, std::size_t tokens, std::size_t width)
      : width_(width),
        pairs_((width + 1) / 2),
        rows_({tokens, width}),
        tiles_({tiles.count(), pairs_, kTileTokens, 2}) {}

  const float* row(std::size_t token) const noexcept { return rows_.data() + token * width_; }
  const std::int16_t* tile(std::size_t i) const noexcept { return tiles_.data() + i * tile_size(); }
  std::size_t pairs() const noexcept { return pairs_; }

  /// How far the dot product in fixed point may be from that in float.
  static double error(std::size_t width) noexcept {
    // Every number is off by half a unit at most, so each of two vectors by half a unit times the root of the width;
    // the sum in float is off by no more than its number of terms times its precision.
    const auto n = static_cast<double>(width);
    return 1.001 * std::sqrt(n) / kOne + n / (kOne * kOne) + n * 1.2e-7;
  }

  /// Takes the tokens of one tile: made unit length, zero where the length is zero. False if one is not finite.
  bool set_tile(const TokenTiles& tiles, std::size_t tile, const float* features) noexcept {
    std::int16_t* const packed = tiles_.data() + tile * tile_size();
    for (std::size_t place = 0; place < kTileTokens; ++place) {
      if (!tiles.holds_token(tile, place)) continue;
      const std::size_t token = tiles.token(tile, place);
      const float* const in = features + token * width_;
      float* const out = rows_.data() + token * width_;
      const double squares = sum_of_squares(in);
      if (!std::isfinite(squares)) return false;
      const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0.0;
      for (std::size_t d = 0; d < width_; ++d) out[d] = static_cast<float>(static_cast<double>(in[d]) * inverse);
      for (std::size_t d = 0; d < width_; ++d) {
        const float scaled = out[d] * static_cast<float>(kOne);
        packed[(d / 2 * kTileTokens + place) * 2 + d % 2] =
            static_cast<std::int16_t>(scaled + (scaled < 0 ? -0.5F : 0.5F));
      }
    }
    return true;
  }

 private:
  // In several sums side by side, for speed.
  double sum_of_squares(const float* in) const noexcept {
    std::array<double, 8> sums{};
    for (std::size_t d = 0; d < width_; ++d) {
      sums[d % sums.size()] += static_cast<double>(in[d]) * static_cast<double>(in[d]);
    }
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

  std::size_t tile_size() const noexcept { return pairs_ * kTileTokens * 2; }

  std::size_t width_;
  std::size_t pairs_;
  Tensor<float> rows_;          // [h * w, D]
  Tensor<std::int16_t> tiles_;  // [tiles, pairs, 16, 2], zero where there is no token
};

}  // namespace rvm::detail
