#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <rvm/tracking/detail/affinity_kernels.hpp>

namespace rvm::detail {

/// A grid of h x w tokens cut into tiles of 4 x 4, which are counted row by row; those at the lower and right edge may
/// be part empty.
class TokenTiles {
 public:
  static constexpr std::size_t kSide = 4;
  static_assert(kSide * kSide == kTileTokens);

  /// Places in the grid differ by this much.
  struct Offset {
    std::size_t dy;
    std::size_t dx;
    double squared_length() const noexcept { return static_cast<double>(dy * dy + dx * dx); }
  };

  TokenTiles(std::size_t h, std::size_t w)
      : w_(w), columns_((w + kSide - 1) / kSide), masks_((h + kSide - 1) / kSide * columns_) {
    for (std::size_t tile = 0; tile < count(); ++tile) {
      for (std::size_t place = 0; place < kTileTokens; ++place) {
        if (y(tile, place) < h && x(tile, place) < w) masks_[tile] |= 1U << place;
      }
    }
  }

  std::size_t count() const noexcept { return masks_.size(); }
  /// The bits of the places of a tile that hold a token.
  std::uint32_t mask(std::size_t tile) const noexcept { return masks_[tile]; }
  bool holds_token(std::size_t tile, std::size_t place) const noexcept { return (masks_[tile] >> place & 1) != 0; }
  /// Counted row by row over the grid.
  std::size_t token(std::size_t tile, std::size_t place) const noexcept { return y(tile, place) * w_ + x(tile, place); }

  /// Between the tokens of two tiles that are closest.
  Offset gap(std::size_t tile, std::size_t other) const noexcept {
    return {gap_along(tile / columns_, other / columns_), gap_along(tile % columns_, other % columns_)};
  }
  /// Between two tokens.
  Offset offset(std::size_t tile, std::size_t place, std::size_t other, std::size_t other_place) const noexcept {
    return {difference(y(tile, place), y(other, other_place)), difference(x(tile, place), x(other, other_place))};
  }

 private:
  static std::size_t difference(std::size_t a, std::size_t b) noexcept { return a > b ? a - b : b - a; }
  static std::size_t gap_along(std::size_t a, std::size_t b) noexcept {
    return a == b ? 0 : (difference(a, b) - 1) * kSide + 1;
  }
  std::size_t y(std::size_t tile, std::size_t place) const noexcept { return tile / columns_ * kSide + place / kSide; }
  std::size_t x(std::size_t tile, std::size_t place) const noexcept { return tile % columns_ * kSide + place % kSide; }

  std::size_t w_;
  std::size_t columns_;
  std::vector<std::uint32_t> masks_;
};

}  // namespace rvm::detail
