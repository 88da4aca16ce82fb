#include <rvm/tracking/detail/token_features.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using rvm::detail::FixedPoint;
using rvm::detail::kTileTokens;
using rvm::detail::TokenFeatures;
using rvm::detail::TokenTiles;

TEST_CASE("tiles hold every token once, and know how far they are apart") {
  test::Random random(1);
  for (int i = 0; i < 20; ++i) {
    const std::size_t h = random.between(1, 14);
    const std::size_t w = random.between(1, 14);
    const TokenTiles tiles(h, w);
    std::set<std::size_t> tokens;
    for (std::size_t tile = 0; tile < tiles.count(); ++tile) {
      CHECK(tiles.mask(tile) != 0);
      for (std::size_t place = 0; place < kTileTokens; ++place) {
        CHECK(tiles.holds_token(tile, place) == ((tiles.mask(tile) >> place & 1) != 0));
        if (tiles.holds_token(tile, place)) CHECK(tokens.insert(tiles.token(tile, place)).second);
      }
    }
    CHECK(tokens.size() == h * w);
    CHECK(*tokens.rbegin() == h * w - 1);
    const std::size_t a = random.between(0, tiles.count() - 1);
    const std::size_t b = random.between(0, tiles.count() - 1);
    double least = 1e9;  // over all places, whether there is a token or not
    for (std::size_t p = 0; p < kTileTokens; ++p) {
      for (std::size_t q = 0; q < kTileTokens; ++q) {
        least = std::min(least, tiles.offset(a, p, b, q).squared_length());
      }
    }
    CHECK(tiles.gap(a, b).squared_length() == least);
  }
}

TEST_CASE("tokens in fixed point and float are one, and no token is outside its tile's cone") {
  test::Random random(2);
  for (const float spread : {0.0F, 0.001F, 0.1F, 10.0F}) {
    for (const std::size_t width : {1U, 2U, 7U, 64U}) {
      const TokenTiles tiles(6, 9);
      TokenFeatures features(tiles, 54, width);
      const auto mean = random.numbers({width});
      auto input = random.numbers({6, 9, width}, spread);
      for (std::size_t i = 0; i < input.size(); ++i) input.data()[i] += mean(i % width);
      if (spread > 1) std::fill_n(input[2][3].data(), width, 0.0F);
      std::vector<float> axis(width);
      for (std::size_t tile = 0; tile < tiles.count(); ++tile) {
        REQUIRE(features.set_tile(tiles, tile, input.data(), axis));
        const auto cones = features.cones(tile / kTileTokens);
        const auto number = [&](std::size_t d) {  // of the tile's cone
          return static_cast<double>(cones[(d / 2 * kTileTokens + tile % kTileTokens) * 2 + d % 2]) / FixedPoint::kOne;
        };
        const double cosine = number(2 * features.pairs());
        const double sine = number(2 * features.pairs() + 1);
        CHECK(std::abs(cosine * cosine + sine * sine - 1) < 1e-4);
        for (std::size_t place = 0; place < kTileTokens; ++place) {
          if (!tiles.holds_token(tile, place)) continue;
          const auto row = features.row(tiles.token(tile, place));
          double length = 0;
          double along = 0;
          double worst = 0;
          for (std::size_t d = 0; d < width; ++d) {
            const double v = static_cast<double>(row[d]);
            length += v * v;
            along += v * number(d);
            const std::int16_t fixed = features.tile(tile)[(d / 2 * kTileTokens + place) * 2 + d % 2];
            worst = std::max(worst, std::abs(static_cast<double>(fixed) / FixedPoint::kOne - v));
          }
          CHECK((std::abs(length - 1) < 1e-6 || length == 0));
          CHECK(worst <= 0.5001 / FixedPoint::kOne);
          // Of an axis that is zero, everything is in the cone.
          CHECK((along >= cosine - FixedPoint::error(width) || (cosine == 0 && along == 0)));
        }
      }
    }
  }
}

TEST_CASE("a product in fixed point is within the error of that in float") {
  test::Random random(3);
  for (const std::size_t width : {2U, 8U, 384U, 1280U}) {
    const TokenTiles tiles(1, 2);
    double worst = 0;
    for (int i = 0; i < 200; ++i) {
      TokenFeatures features(tiles, 2, width);
      std::vector<float> axis(width);
      features.set_tile(tiles, 0, random.numbers({1, 2, width}).data(), axis);
      double exact = 0;
      std::int64_t fixed = 0;
      for (std::size_t d = 0; d < width; ++d) {
        exact += static_cast<double>(features.row(0)[d]) * static_cast<double>(features.row(1)[d]);
        const std::size_t at = d / 2 * kTileTokens * 2 + d % 2;
        fixed += std::int64_t{features.tile(0)[at]} * features.tile(0)[at + 2];
      }
      worst = std::max(worst, std::abs(static_cast<double>(fixed) / (FixedPoint::kOne * FixedPoint::kOne) - exact));
    }
    CAPTURE(width, worst);
    CHECK(worst < FixedPoint::error(width));
  }
}

TEST_CASE("a token that is not finite is told") {
  const TokenTiles tiles(1, 1);
  TokenFeatures features(tiles, 1, 3);
  std::vector<float> axis(3);
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    const std::vector<float> token{1.0F, bad, 0.0F};
    CHECK_FALSE(features.set_tile(tiles, 0, token.data(), axis));
  }
}
