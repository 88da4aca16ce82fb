#include <rvm/tracking/mask_tracker.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/moving_square.hpp"

namespace {

/// A mask as exactly as the tokens of a h x w grid can hold it: bilinear enlarging rounds its corners off.
rvm::LabelImage as_tokens(const rvm::LabelImage& mask, std::size_t h, std::size_t w) {
  const rvm::MaskHeatmap heatmap = rvm::mask_to_heatmap(mask, h, w, 16 * h, 16 * w);
  return rvm::heatmap_to_mask(heatmap.values, heatmap.labels, 16 * h, 16 * w, mask.shape()[0], mask.shape()[1]);
}

}  // namespace

TEST_CASE("the fixture's masks") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto features = file.at("features").as<float>();
  const auto expected = file.at("masks").as<std::uint8_t>();
  rvm::MaskTracker tracker(features[0], file.at("mask").as<std::uint8_t>());
  CHECK(std::ranges::equal(tracker.labels(), file.at("labels").as<std::uint8_t>()));
  std::size_t wrong = 0;
  for (std::size_t t = 0; t < features.shape()[0]; ++t) {
    const rvm::LabelImage& mask = t == 0 ? tracker.mask() : tracker.step(features[t]);
    REQUIRE(mask.shape() == expected[t].shape());
    for (std::size_t i = 0; i < mask.size(); ++i) wrong += mask.data()[i] != expected[t].data()[i];
  }
  CAPTURE(wrong, expected.size());
  CHECK(static_cast<double>(wrong) < 0.005 * static_cast<double>(expected.size()));
}

TEST_CASE("a mask follows a moving square exactly") {
  const test::MovingSquare scene(12, 16);
  const auto path = scene.path(24);
  rvm::MaskTracker tracker(scene.features(path[0][0], path[0][1]), scene.mask(path[0][0], path[0][1]));
  CHECK(std::ranges::equal(tracker.mask(), as_tokens(scene.mask(path[0][0], path[0][1]), 12, 16)));
  for (std::size_t t = 1; t < path.size(); ++t) {
    CAPTURE(t);
    const rvm::LabelImage& mask = tracker.step(scene.features(path[t][0], path[t][1]));
    CHECK(std::ranges::equal(mask, as_tokens(scene.mask(path[t][0], path[t][1]), 12, 16)));
  }
}

TEST_CASE("a mask of another size than the frame keeps its size, and one of a single label stays as it is") {
  const test::MovingSquare scene(9, 11);
  const rvm::LabelImage half = rvm::resize_nearest(scene.mask(1, 2), scene.height() / 2, scene.width() / 2);
  rvm::MaskTracker tracker(scene.features(1, 2), half);
  const rvm::LabelImage expected = rvm::resize_nearest(scene.mask(2, 4), scene.height() / 2, scene.width() / 2);
  CHECK(std::ranges::equal(tracker.step(scene.features(2, 4)), as_tokens(expected, 9, 11)));

  rvm::LabelImage plain({7, 5});
  std::fill(plain.begin(), plain.end(), std::uint8_t{200});
  rvm::MaskTracker still(scene.features(1, 2), plain);
  CHECK(std::ranges::equal(still.step(scene.features(2, 4)), plain));
}

TEST_CASE("a tracker can be moved, and goes on") {
  const test::MovingSquare scene(9, 11);
  rvm::MaskTracker tracker(scene.features(1, 2), scene.mask(1, 2));
  rvm::MaskTracker moved = std::move(tracker);
  CHECK(std::ranges::equal(moved.step(scene.features(2, 3)), as_tokens(scene.mask(2, 3), 9, 11)));
}

TEST_CASE("a step of a mask tracker allocates nothing") {
  const test::MovingSquare scene(9, 11);
  const auto first = scene.features(1, 2);
  const auto second = scene.features(2, 3);
  rvm::MaskTracker tracker(first, scene.mask(1, 2), {.threads = 2});
  const std::size_t before = test::allocations();
  for (int i = 0; i < 25; ++i) tracker.step(i % 2 == 0 ? second : first);
  if (test::allocations_are_counted()) CHECK(test::allocations() == before);
}

TEST_CASE("bad masks and features are refused, and the tracker stays as it was") {
  const test::MovingSquare scene(9, 11);
  const auto features = scene.features(1, 2);
  CHECK_THROWS_AS(rvm::MaskTracker(features, rvm::LabelImage()), rvm::ArgumentError);
  CHECK_THROWS_WITH(rvm::MaskTracker(features, rvm::LabelImage({4, 4, 3})), ContainsSubstring("(4, 4, 3)"));
  CHECK_THROWS_AS(rvm::MaskTracker(rvm::Tensor<float>({9, 11}), scene.mask(1, 2)), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::MaskTracker(features, scene.mask(1, 2), {.context = 0}), rvm::ArgumentError);
  rvm::MaskTracker tracker(features, scene.mask(1, 2));
  CHECK_THROWS_AS(tracker.step(test::MovingSquare(9, 12).features(1, 2)), rvm::ArgumentError);
  CHECK(std::ranges::equal(tracker.mask(), as_tokens(scene.mask(1, 2), 9, 11)));
  CHECK(std::ranges::equal(tracker.step(scene.features(2, 3)), as_tokens(scene.mask(2, 3), 9, 11)));
}
