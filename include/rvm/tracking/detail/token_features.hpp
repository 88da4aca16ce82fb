#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

#include <rvm/core/tensor.hpp>
#include <rvm/tracking/detail/affinity_kernels.hpp>
#include <rvm/tracking/detail/token_tiles.hpp>

namespace rvm::detail {

/// Numbers in [-1, 1] as 16-bit fixed point. The dot product of two unit vectors fits 32 bits, and so does that of two
/// unit vectors and two pairs (cos, sin) behind them.
struct FixedPoint {
  static constexpr double kOne = 32000.0;

  static std::int16_t from(float value) noexcept {
    const float scaled = value * static_cast<float>(kOne);
    return static_cast<std::int16_t>(scaled + (scaled < 0 ? -0.5F : 0.5F));
  }
  /// A dot product, rounded down.
  static std::int32_t product(double value) noexcept {
    return static_cast<std::int32_t>(std::floor(value * kOne * kOne));
  }
  /// How far the dot product of unit vectors of n numbers in fixed point may be from that in float. Every number is off
  /// by half a unit at most, so each vector by half a unit times the root of n; the sum in float is off by no more than
  /// float_error.
  static double error(std::size_t n) noexcept {
    const auto numbers = static_cast<double>(n);
    return 1.001 * std::sqrt(numbers) / kOne + numbers / (kOne * kOne) + float_error(n);
  }
  /// How far the dot product of unit vectors of n numbers in float may be from the true one.
  static double float_error(std::size_t n) noexcept { return 1e-6 + 1.2e-7 * static_cast<double>(n); }
};

/// One frame's tokens as they are compared: rows of unit length in float, and for finding out fast which are worth
/// comparing in float, the same in fixed point, tile by tile, and around each tile's tokens a cone: an axis, the mean
/// direction, and the angle that none of them is farther from it.
class TokenFeatures {
 public:
  TokenFeatures(const TokenTiles& tiles, std::size_t tokens, std::size_t width)
      : width_(width),
        pairs_((width + 1) / 2),
        rows_({tokens, width}),
        tiles_({tiles.count(), pairs_, kTileTokens, 2}),
        cones_({(tiles.count() + kTileTokens - 1) / kTileTokens, pairs_ + 1, kTileTokens, 2}) {}

  /// Pairs of numbers in a token, a last one alone counted as one.
  std::size_t pairs() const noexcept { return pairs_; }
  /// [D], of unit length, or zero.
  std::span<const float> row(std::size_t token) const noexcept { return {rows_.data() + token * width_, width_}; }
  /// [pairs, 16, 2], zero where there is no token.
  std::span<const std::int16_t> tile(std::size_t i) const noexcept {
    const std::size_t size = pairs_ * kTileTokens * 2;
    return {tiles_.data() + i * size, size};
  }
  /// [pairs + 1, 16, 2]: the axes of the cones of 16 tiles from 16 i on; the last pair is the cosine and sine of the
  /// angle, at most 90 degrees.
  std::span<const std::int16_t> cones(std::size_t i) const noexcept {
    const std::size_t size = (pairs_ + 1) * kTileTokens * 2;
    return {cones_.data() + i * size, size};
  }
  std::size_t cone_tiles() const noexcept { return cones_.shape()[0]; }

  /// Writes an angle, at most 90 degrees, behind a place's numbers.
  static void set_angle(std::int16_t* tile, std::size_t pairs, std::size_t place, double cosine, double sine) noexcept {
    std::int16_t* const pair = tile + (pairs * kTileTokens + place) * 2;
    pair[0] = FixedPoint::from(static_cast<float>(cosine));
    pair[1] = FixedPoint::from(static_cast<float>(sine));
  }

  /// Takes the tokens of one tile from features [h, w, D]: made unit length, zero where the length is zero. `axis` is
  /// scratch, [D]. False if a token is not finite.
  bool set_tile(const TokenTiles& tiles, std::size_t tile, const float* features, std::span<float> axis) noexcept {
    for (std::size_t place = 0; place < kTileTokens; ++place) {
      if (!tiles.holds_token(tile, place)) continue;
      const std::size_t token = tiles.token(tile, place);
      const float* const in = features + token * width_;
      const double squares = dot(in, in);
      if (!std::isfinite(squares)) return false;
      const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0.0;
      float* const out = rows_.data() + token * width_;
      for (std::size_t d = 0; d < width_; ++d) out[d] = static_cast<float>(static_cast<double>(in[d]) * inverse);
      pack({out, width_}, tiles_.data() + tile * pairs_ * kTileTokens * 2, place);
    }
    set_cone(tiles, tile, axis);
    return true;
  }

 private:
  // In several sums side by side, for speed.
  double dot(const float* a, const float* b) const noexcept {
    std::array<double, 8> sums{};
    for (std::size_t d = 0; d < width_; ++d) {
      sums[d % sums.size()] += static_cast<double>(a[d]) * static_cast<double>(b[d]);
    }
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

  static void pack(std::span<const float> numbers, std::int16_t* tile, std::size_t place) noexcept {
    for (std::size_t d = 0; d < numbers.size(); ++d) {
      tile[(d / 2 * kTileTokens + place) * 2 + d % 2] = FixedPoint::from(numbers[d]);
    }
  }

  void set_cone(const TokenTiles& tiles, std::size_t tile, std::span<float> axis) noexcept {
    const auto for_rows = [&](const auto& f) {
      for (std::size_t place = 0; place < kTileTokens; ++place) {
        if (tiles.holds_token(tile, place)) f(row(tiles.token(tile, place)).data());
      }
    };
    std::fill(axis.begin(), axis.end(), 0.0F);
    for_rows([&](const float* token) {
      for (std::size_t d = 0; d < width_; ++d) axis[d] += token[d];
    });
    const double squares = dot(axis.data(), axis.data());
    const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0.0;
    for (float& v : axis) v = static_cast<float>(static_cast<double>(v) * inverse);
    double cosine = 1.0;
    for_rows([&](const float* token) { cosine = std::min(cosine, dot(token, axis.data())); });
    cosine -= FixedPoint::float_error(1);
    if (cosine < 0) {  // tokens in all directions: a cone without an axis, which everything is in
      std::fill(axis.begin(), axis.end(), 0.0F);
      cosine = 0;
    }
    std::int16_t* const out = cones_.data() + tile / kTileTokens * (pairs_ + 1) * kTileTokens * 2;
    pack(axis, out, tile % kTileTokens);
    set_angle(out, pairs_, tile % kTileTokens, cosine, std::sqrt(1 - cosine * cosine));
  }

  std::size_t width_;
  std::size_t pairs_;
  Tensor<float> rows_;          // [h * w, D]
  Tensor<std::int16_t> tiles_;  // [tiles, pairs, 16, 2]
  Tensor<std::int16_t> cones_;  // [tiles / 16, pairs + 1, 16, 2]
};

}  // namespace rvm::detail
