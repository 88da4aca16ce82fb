#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <rvm/tracking/detail/affinity_kernels.hpp>
#include <rvm/tracking/detail/token_features.hpp>
#include <rvm/tracking/detail/token_tiles.hpp>
#include <rvm/tracking/detail/top_tokens.hpp>

namespace rvm::detail {

/// A frame that labels are taken from. Positions count the frames of the context: 0 is the first frame, where all
/// tokens count; in the others only those within the radius. One frame may have several positions in a row.
struct ContextFrame {
  const TokenFeatures* features;
  std::size_t first_position;
  std::size_t positions;
};

/// The search for the tokens most like each of one tile's, frame by frame. Finds what comparing all of them in float
/// would find: tokens are passed over only where fixed point, or the cone around their tile, shows that they are less
/// alike than the best so far.
class TileSearch {
 public:
  /// The best `count` tokens of the grid, which must outlive this.
  TileSearch(const TokenTiles& tiles, std::size_t tokens, std::size_t width, std::size_t count, double radius,
             const AffinityKernels& kernels)
      : tiles_(&tiles),
        kernels_(&kernels),
        tokens_(tokens),
        count_(count),
        squared_radius_(radius * radius),
        error_(FixedPoint::error(width)),
        float_error_(FixedPoint::float_error(width)),
        kept_(kTileTokens * count),
        query_(((width + 1) / 2 + 1) * kTileTokens * 2) {}

  /// Begins anew, for one tile of a frame.
  void begin(const TokenFeatures& features, std::size_t tile) noexcept {
    features_ = &features;
    tile_ = tile;
    std::copy(features.tile(tile).begin(), features.tile(tile).end(), query_.begin());
    for (std::size_t place = 0; place < kTileTokens; ++place) {
      top_[place] = TopTokens(kept_.data() + place * count_, count_);
      least_[place] = tiles_->holds_token(tile, place) ? kAnything : kNothing;
      least_cone_[place] = least_[place];
    }
  }

  std::size_t tile() const noexcept { return tile_; }
  /// The best tokens for the one at a place; their ids count positions x tokens.
  const TopTokens& top(std::size_t place) const noexcept { return top_[place]; }

  /// Looks at a frame's tokens at the same place: likely good ones, and few others will then need a look.
  void look_here(const ContextFrame& frame) noexcept { look_at(frame, tile_); }

  /// Looks at a frame's tokens elsewhere.
  void look_elsewhere(const ContextFrame& frame) noexcept {
    // A token whose angle to the query is at most b, in a cone of angle a, is in no cone whose axis is farther from the
    // query than a + b: query * axis - cos(a + b) is then negative. cos(a + b) = cos a cos b - sin a sin b makes that a
    // dot product too: of (query, -cos b, sin b) and (axis, cos a, sin a).
    std::array<std::uint16_t, kTileTokens> found;
    for (std::size_t i = 0; i < frame.features->cone_tiles(); ++i) {
      std::uint32_t cones = kernels_->candidates(query_.data(), frame.features->cones(i).data(), features_->pairs() + 1,
                                                 least_cone_.data(), found.data());
      for (; cones != 0; cones &= cones - 1) {
        const std::size_t tile = i * kTileTokens + static_cast<std::size_t>(std::countr_zero(cones));
        if (tile >= tiles_->count() || tile == tile_) continue;
        if (frame.first_position == 0 || tiles_->gap(tile_, tile).squared_length() < squared_radius_) {
          look_at(frame, tile);
        }
      }
    }
  }

 private:
  static constexpr std::int32_t kAnything = std::numeric_limits<std::int32_t>::min();
  static constexpr std::int32_t kNothing = std::numeric_limits<std::int32_t>::max();

  void look_at(const ContextFrame& frame, std::size_t tile) noexcept {
    std::array<std::uint16_t, kTileTokens> found;
    const std::uint32_t any = kernels_->candidates(query_.data(), frame.features->tile(tile).data(), features_->pairs(),
                                                   least_.data(), found.data());
    if ((any & tiles_->mask(tile)) == 0) return;
    for (std::size_t place = 0; place < kTileTokens; ++place) {
      for (std::uint32_t bits = found[place] & tiles_->mask(tile); bits != 0; bits &= bits - 1) {
        offer(frame, place, tile, static_cast<std::size_t>(std::countr_zero(bits)));
      }
    }
  }

  void offer(const ContextFrame& frame, std::size_t place, std::size_t tile, std::size_t key_place) noexcept {
    const bool near = tiles_->offset(tile_, place, tile, key_place).squared_length() < squared_radius_;
    if (!near && frame.first_position != 0) return;
    const std::size_t key = tiles_->token(tile, key_place);
    const std::span<const float> query = features_->row(tiles_->token(tile_, place));
    const float score = kernels_->dot(query.data(), frame.features->row(key).data(), query.size());
    TopTokens& top = top_[place];
    const std::size_t end = frame.first_position + (near ? frame.positions : 1);
    for (std::size_t position = frame.first_position; position < end; ++position) {
      if (!top.offer(score, static_cast<std::uint32_t>(position * tokens_ + key))) break;
    }
    if (top.size() == count_) expect(place, static_cast<double>(top.least()));
  }

  // Of tokens that score less than this, none needs a look.
  void expect(std::size_t place, double score) noexcept {
    least_[place] = FixedPoint::product(score - error_);
    const double cosine = std::min(score - float_error_, 1.0);
    if (cosine <= 0) return;
    TokenFeatures::set_angle(query_.data(), features_->pairs(), place, -cosine, std::sqrt(1 - cosine * cosine));
    least_cone_[place] = FixedPoint::product(-error_ - kAngleError);
  }

  static constexpr double kAngleError = 1e-4;  // of the products of an angle's pair in fixed point

  const TokenTiles* tiles_;
  const AffinityKernels* kernels_;
  std::size_t tokens_;
  std::size_t count_;
  double squared_radius_;
  double error_;
  double float_error_;
  std::vector<TopTokens::Token> kept_;  // [16, count]
  std::vector<std::int16_t> query_;     // the tile, and behind it the angles that the best so far are within
  const TokenFeatures* features_ = nullptr;
  std::size_t tile_ = 0;
  std::array<TopTokens, kTileTokens> top_{};
  std::array<std::int32_t, kTileTokens> least_{};       // what a token's product with each query needs
  std::array<std::int32_t, kTileTokens> least_cone_{};  // what a cone's needs
};

}  // namespace rvm::detail
