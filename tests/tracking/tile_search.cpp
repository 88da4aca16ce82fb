// The search finds what comparing every token in float finds, to the last bit and in the same order: whatever the
// features are like, on every instruction set.

#include <rvm/tracking/detail/tile_search.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/instruction_sets.hpp"
#include "support/random.hpp"

namespace {

using rvm::Tensor;
using rvm::detail::AffinityKernels;
using rvm::detail::ContextFrame;
using rvm::detail::kTileTokens;
using rvm::detail::TileSearch;
using rvm::detail::TokenFeatures;
using rvm::detail::TokenTiles;
using rvm::detail::TopTokens;

std::vector<const AffinityKernels*> available() {
  std::vector<const AffinityKernels*> all;
  for (const rvm::Isa isa : test::instruction_sets()) {
    const AffinityKernels* const kernels = &rvm::detail::affinity_kernels(isa);
    if (all.empty() || all.back() != kernels) all.push_back(kernels);
  }
  return all;
}

/// How many tokens of the last of three frames [h, w, D] have other best `count` tokens in the first two, a frame of
/// three positions from 0 on and one of position 4, than those found by looking at everything.
std::size_t wrong_searches(const std::array<Tensor<float>, 3>& frames, std::size_t count, double radius,
                           const AffinityKernels& kernels) {
  const rvm::Shape& shape = frames[0].shape();
  const std::size_t w = shape[1];
  const std::size_t tokens = shape[0] * w;
  const TokenTiles tiles(shape[0], w);
  std::vector<TokenFeatures> features(3, TokenFeatures(tiles, tokens, shape[2]));
  std::vector<float> axis(shape[2]);
  for (std::size_t f = 0; f < 3; ++f) {
    for (std::size_t tile = 0; tile < tiles.count(); ++tile) {
      features[f].set_tile(tiles, tile, frames[f].data(), axis);
    }
  }
  const std::array<ContextFrame, 2> context{{{&features[1], 4, 1}, {&features[0], 0, 3}}};
  TileSearch search(tiles, tokens, shape[2], count, radius, kernels);
  std::size_t wrong = 0;
  for (std::size_t tile = 0; tile < tiles.count(); ++tile) {
    search.begin(features[2], tile);
    for (const ContextFrame& frame : context) search.look_here(frame);
    for (const ContextFrame& frame : context) search.look_elsewhere(frame);
    for (std::size_t place = 0; place < kTileTokens; ++place) {
      if (!tiles.holds_token(tile, place)) continue;
      const std::size_t q = tiles.token(tile, place);
      std::vector<TopTokens::Token> expected;
      for (const ContextFrame& frame : context) {
        for (std::size_t k = 0; k < tokens; ++k) {
          const double dy = static_cast<double>(k / w) - static_cast<double>(q / w);
          const double dx = static_cast<double>(k % w) - static_cast<double>(q % w);
          const bool near = std::sqrt(dy * dy + dx * dx) < radius;
          const float score = kernels.dot(features[2].row(q).data(), frame.features->row(k).data(), shape[2]);
          for (std::size_t p = frame.first_position; p < frame.first_position + frame.positions; ++p) {
            if (p == 0 || near) expected.push_back({score, static_cast<std::uint32_t>(p * tokens + k)});
          }
        }
      }
      std::sort(expected.begin(), expected.end(), [](const TopTokens::Token& a, const TopTokens::Token& b) {
        return a.score > b.score || (a.score == b.score && a.id < b.id);
      });
      expected.resize(std::min(expected.size(), count));
      const TopTokens& found = search.top(place);
      bool same = found.size() == expected.size();
      for (std::size_t n = 0; n < expected.size() && same; ++n) {
        same = found[n].id == expected[n].id && found[n].score == expected[n].score;
      }
      wrong += same ? 0 : 1;
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("the search finds what looking at everything finds") {
  const AffinityKernels& kernels = *GENERATE(from_range(available()));
  test::Random random(1);
  for (int i = 0; i < 150; ++i) {
    const std::size_t h = random.between(1, 12);
    const std::size_t w = random.between(1, 12);
    const std::size_t width = random.between(1, 50);
    const std::size_t count = i % 5 == 0 ? random.between(1, 3 * h * w) : random.between(1, 9);
    const double radius = i % 4 == 0 ? std::numeric_limits<double>::infinity() : random.number(4.0F) + 5.0;
    const float spread = std::pow(10.0F, random.number(3.0F) - 2);  // from all but equal to unlike
    const float turn = i % 2 == 0 ? 0.0F : 0.1F;
    const TokenTiles tiles(h, w);
    const auto frame = [&] {
      auto features = random.numbers({h, w, width}, spread);
      for (std::size_t y = 0; y < h; ++y) {
        for (std::size_t x = 0; x < w; ++x) {
          for (std::size_t d = 0; d < width; ++d) {
            features(y, x, d) += std::cos(turn * static_cast<float>(d * y + 3 * x + d * d));
          }
        }
      }
      return features;
    };
    CAPTURE(i, h, w, width, count, radius, spread);
    CHECK(wrong_searches({frame(), frame(), frame()}, count, radius, kernels) == 0);
  }
}

TEST_CASE("the search finds tokens at any angle, in cones of any width") {
  // On a circle, where cones have room to be wrong, and for so many tokens that the last are at obtuse angles.
  const AffinityKernels& kernels = *GENERATE(from_range(available()));
  test::Random random(3);
  for (int i = 0; i < 200; ++i) {
    const std::size_t h = random.between(4, 12);
    const std::size_t w = random.between(4, 12);
    const float opening = random.number(1.6F) + 1.6F;
    const auto frame = [&] {
      const auto middles = random.numbers({4, 4}, 3.1416F);  // of each tile
      Tensor<float> features({h, w, 2});
      for (std::size_t y = 0; y < h; ++y) {
        for (std::size_t x = 0; x < w; ++x) {
          const float angle = middles(y / 4, x / 4) + random.number(opening);
          features(y, x, 0) = std::cos(angle);
          features(y, x, 1) = std::sin(angle);
        }
      }
      return features;
    };
    const std::size_t count = random.between(1, 2 * h * w);
    CAPTURE(i, h, w, opening, count);
    CHECK(wrong_searches({frame(), frame(), frame()}, count, 20.0, kernels) == 0);
  }
}

TEST_CASE("the best tokens do not depend on the order in which they are offered") {
  test::Random random(2);
  for (int i = 0; i < 100; ++i) {
    std::vector<TopTokens::Token> tokens(random.between(1, 30));
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      tokens[t] = {static_cast<float>(random.between(0, 5)), static_cast<std::uint32_t>(t)};
    }
    const std::size_t capacity = random.between(1, 9);
    std::vector<TopTokens::Token> kept(capacity);
    std::vector<TopTokens::Token> kept_again(capacity);
    TopTokens top(kept.data(), capacity);
    TopTokens again(kept_again.data(), capacity);
    CHECK(top.least() == -std::numeric_limits<float>::infinity());
    for (const auto& token : tokens) top.offer(token.score, token.id);
    for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) again.offer(token->score, token->id);
    CHECK(top.size() == std::min(capacity, tokens.size()));
    CHECK(again.size() == top.size());
    for (std::size_t t = 0; t < top.size(); ++t) CHECK(top[t].id == again[t].id);
    for (std::size_t t = 1; t < top.size(); ++t) {
      CHECK((top[t - 1].score > top[t].score || (top[t - 1].score == top[t].score && top[t - 1].id < top[t].id)));
    }
    if (top.size() == capacity) CHECK_FALSE(top.offer(top.least(), 1000));
  }
}
