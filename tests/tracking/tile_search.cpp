// The search finds what comparing every token in float finds, to the last bit and in the same order: whatever the
// features are like, on every instruction set.

#include <rvm/tracking/detail/tile_search.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

using rvm::Isa;
using rvm::detail::AffinityKernels;
using rvm::detail::ContextFrame;
using rvm::detail::kTileTokens;
using rvm::detail::TileSearch;
using rvm::detail::TokenFeatures;
using rvm::detail::TokenTiles;
using rvm::detail::TopTokens;

std::vector<const AffinityKernels*> available() {
  std::vector<const AffinityKernels*> all;
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
    if (isa <= rvm::best_isa()) all.push_back(&rvm::detail::affinity_kernels(isa, false));
  }
  all.push_back(&rvm::detail::affinity_kernels());
  return all;
}

/// A frame whose tokens are `spread` around a direction that turns slowly over the grid, `turn` a token.
TokenFeatures frame_of(const TokenTiles& tiles, std::size_t h, std::size_t w, std::size_t width, float spread,
                       float turn, test::Random& random) {
  TokenFeatures out(tiles, h * w, width);
  auto features = random.numbers({h, w, width}, spread);
  for (std::size_t y = 0; y < h; ++y) {
    for (std::size_t x = 0; x < w; ++x) {
      for (std::size_t d = 0; d < width; ++d) {
        features(y, x, d) += std::cos(turn * static_cast<float>(d * y + 3 * x + d * d));
      }
    }
  }
  std::vector<float> axis(width);
  for (std::size_t tile = 0; tile < tiles.count(); ++tile) out.set_tile(tiles, tile, features.data(), axis);
  return out;
}

}  // namespace

TEST_CASE("the search finds what looking at everything finds") {
  const AffinityKernels& kernels = *GENERATE(from_range(available()));
  test::Random random(1);
  std::size_t wrong = 0;
  for (int i = 0; i < 150; ++i) {
    const std::size_t h = random.between(1, 12);
    const std::size_t w = random.between(1, 12);
    const std::size_t width = i % 5 == 0 ? random.between(1, 3) : random.between(4, 50);
    const std::size_t count = i % 6 == 0 ? random.between(1, 3 * h * w) : random.between(1, 9);
    const double radius = i % 4 == 0 ? std::numeric_limits<double>::infinity() : random.number(4.0F) + 5.0;
    const float spread = std::pow(10.0F, random.number(3.0F) - 2);  // from all but equal to unlike
    const float turn = i % 2 == 0 ? 0.0F : 0.1F;
    const TokenTiles tiles(h, w);
    const std::size_t tokens = h * w;
    std::vector<TokenFeatures> features;
    for (int f = 0; f < 3; ++f) features.push_back(frame_of(tiles, h, w, width, spread, turn, random));
    const std::vector<ContextFrame> context{{&features[1], 4, 1}, {&features[0], 0, 3}};
    TileSearch search(tiles, tokens, width, count, radius, kernels);
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
            const float score = kernels.dot(features[2].row(q).data(), frame.features->row(k).data(), width);
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
    CAPTURE(i, h, w, width, count, radius, spread);
    REQUIRE(wrong == 0);
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
