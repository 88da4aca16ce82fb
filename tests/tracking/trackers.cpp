#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <rvm/tracking/box_tracker.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/point_tracker.hpp>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"

TEST_CASE("the fixture's masks") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto features = file.at("features").as<float>();
  const auto expected = file.at("masks").as<std::uint8_t>();
  rvm::MaskTracker tracker(features[0], file.at("mask").as<std::uint8_t>());
  std::size_t wrong = 0;
  for (std::size_t t = 0; t < features.shape()[0]; ++t) {
    const rvm::LabelImage& mask = t == 0 ? tracker.mask() : tracker.step(features[t]);
    REQUIRE(mask.shape() == expected[t].shape());
    for (std::size_t i = 0; i < mask.size(); ++i) wrong += mask.data()[i] != expected[t].data()[i];
  }
  CAPTURE(wrong, expected.size());
  CHECK(static_cast<double>(wrong) < 0.005 * static_cast<double>(expected.size()));
}

TEST_CASE("the fixture's poses") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto features = file.at("features").as<float>();
  const auto numbers = file.at("pose").as<double>();
  const auto expected = file.at("poses").as<float>();
  std::vector<rvm::Point> pose;
  for (std::size_t j = 0; j < numbers.shape()[0]; ++j) {
    pose.push_back({static_cast<float>(numbers(j, 0)), static_cast<float>(numbers(j, 1))});
  }
  rvm::PointTracker tracker(features[0], pose, 151, 377);
  std::size_t off = 0;  // where the fifth and sixth strongest tokens are equal but for rounding
  for (std::size_t t = 0; t < features.shape()[0]; ++t) {
    const auto points = t == 0 ? tracker.points() : tracker.step(features[t]);
    for (std::size_t j = 0; j < pose.size(); ++j) {
      const float distance = std::hypot(points[j].x - expected(t, j, 0), points[j].y - expected(t, j, 1));
      off += distance > 1e-3F;
      CHECK(distance < 16.0F);
    }
  }
  CAPTURE(off);
  CHECK(off <= 4);
}
