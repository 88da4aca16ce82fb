#include <rvm/model/masking.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"

namespace {

std::size_t count(std::size_t patches, double ratio) {
  return rvm::draw_visible(patches, ratio, 1).size();
}

}  // namespace

TEST_CASE("as many patches are shown as the ratio leaves, rounded down") {
  CHECK(count(256, 0.95) == 12);
  CHECK(count(256, rvm::kMaskedRatio) == 12);
  CHECK(count(1650, 0.95) == 82);
  CHECK(count(256, 0.75) == 64);
  CHECK(count(256, 0) == 256);
  CHECK(count(256, 1) == 0);
  CHECK(count(19, 0.95) == 0);
  CHECK(count(0, 0.5) == 0);
  // What has no exact binary fraction must not lose a patch.
  for (std::size_t tens = 1; tens < 1000; ++tens) {
    CHECK(count(10 * tens, 0.9) == tens);
    CHECK(count(10 * tens, 0.3) == 7 * tens);
    CHECK(count(20 * tens, 0.95) == tens);
    CHECK(count(20 * tens - 1, 0.95) == tens - 1);
  }
}

TEST_CASE("drawn patches are on the grid, different and in order, and follow the seed alone") {
  for (const double ratio : {0.0, 0.5, 0.9, 0.95}) {
    const std::vector<std::size_t> drawn = rvm::draw_visible(60, ratio, 3);
    CHECK(std::is_sorted(drawn.begin(), drawn.end()));
    CHECK(std::adjacent_find(drawn.begin(), drawn.end()) == drawn.end());
    CHECK(std::all_of(drawn.begin(), drawn.end(), [](std::size_t p) { return p < 60; }));
    CHECK(rvm::draw_visible(60, ratio, 3) == drawn);
  }
  CHECK(rvm::draw_visible(60, 0.5, 4) != rvm::draw_visible(60, 0.5, 3));
  // The same on every machine and in every version.
  CHECK(rvm::draw_visible(256, 0.95, 0) ==
        std::vector<std::size_t>{19, 22, 35, 39, 69, 71, 131, 166, 169, 171, 175, 251});
}

TEST_CASE("every patch is as likely to be shown") {
  std::vector<std::size_t> shown(20);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    for (const std::size_t p : rvm::draw_visible(20, 0.75, seed)) ++shown[p];
  }
  for (const std::size_t times : shown) CHECK(std::abs(static_cast<double>(times) - 1000) < 150);
}

TEST_CASE("a ratio that is none is refused") {
  CHECK_THROWS_AS(rvm::draw_visible(256, -0.1, 0), rvm::ArgumentError);
  CHECK_THROWS_WITH(rvm::draw_visible(256, 95, 0), ContainsSubstring("[0, 1]") && ContainsSubstring("95"));
  CHECK_THROWS_AS(rvm::draw_visible(256, std::numeric_limits<double>::quiet_NaN(), 0), rvm::ArgumentError);
}
