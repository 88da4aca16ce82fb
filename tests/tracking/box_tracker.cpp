#include <rvm/tracking/box_tracker.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/moving_square.hpp"
#include "support/random.hpp"

namespace {

using rvm::Box;

/// The largest difference between two boxes' edges.
float difference(const Box& a, const Box& b) {
  return std::max(
      {std::abs(a.left - b.left), std::abs(a.top - b.top), std::abs(a.right - b.right), std::abs(a.bottom - b.bottom)});
}

Box square_at(long top, long left) {
  const auto x = static_cast<float>(16 * left);
  const auto y = static_cast<float>(16 * top);
  const float side = 16 * test::MovingSquare::kSquare;
  return {x, y, x + side, y + side};
}

}  // namespace

TEST_CASE("a token's label is the share of it that a box covers") {
  const std::vector<Box> boxes{{8, 4, 32, 32}, {-100, -100, 1000, 1000}};
  const auto heatmap = rvm::boxes_to_heatmap(boxes, 3, 4, 48, 64);
  const std::vector<float> expected{0.375F, 0.75F, 0, 0, 0.5F, 1, 0, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(heatmap.data()[2 * i] - expected[i]) < 1e-6F);
    CHECK(heatmap.data()[2 * i + 1] == 1.0F);
  }
}

TEST_CASE("a box follows a moving square exactly, to the frame's edges") {
  const test::MovingSquare scene(12, 16);
  const auto path = scene.path(24);
  rvm::BoxTracker tracker(scene.features(path[0][0], path[0][1]), std::vector<Box>{square_at(path[0][0], path[0][1])},
                          scene.height(), scene.width());
  CHECK(difference(tracker.boxes()[0], square_at(path[0][0], path[0][1])) < 0.01F);
  for (std::size_t t = 1; t < path.size(); ++t) {
    const auto found = tracker.step(scene.features(path[t][0], path[t][1]));
    CAPTURE(t, found[0].left, found[0].top, found[0].right, found[0].bottom);
    CHECK(difference(found[0], square_at(path[t][0], path[t][1])) < 0.01F);
  }
  const auto found = tracker.step(scene.features(-3, 12));  // half outside
  CHECK(difference(found[0], {16 * 12, 0, 16 * 16, 16 * 3}) < 0.01F);
}

TEST_CASE("a box is lost while its object is away, and found again") {
  const test::MovingSquare scene(12, 14);
  rvm::BoxTracker tracker(scene.features(2, 3), std::vector<Box>{square_at(2, 3)}, scene.height(), scene.width());
  for (int t = 0; t < 13; ++t) {  // 7 frames of the context have it, and the first
    const auto found = tracker.step(scene.features(-20, -20));
    CHECK(found[0] == Box{});
    CHECK_FALSE(found[0].visible());
  }
  CHECK(difference(tracker.step(scene.features(5, 6))[0], square_at(5, 6)) < 0.01F);
}

TEST_CASE("a box is lost where its label is nowhere a quarter as strong as at first") {
  // The next frame's tokens are like all of the first's: each has the mean label of the first seven of them.
  rvm::Tensor<float> first({3, 4, 2});
  rvm::Tensor<float> next({3, 4, 2});
  for (std::size_t i = 0; i < 12; ++i) {
    first.data()[2 * i + (i < 2 ? 0 : 1)] = 1.0F;
    next.data()[2 * i] = next.data()[2 * i + 1] = 1.0F;
  }
  const std::vector<Box> boxes{{0, 0, 16, 16}, {0, 0, 32, 16}};  // a seventh, and two
  rvm::BoxTracker tracker(first, boxes, 48, 64);
  tracker.step(next);
  CHECK(std::abs(tracker.propagation().labels()(2, 3, 0) - 1.0F / 7) < 1e-6F);
  CHECK_FALSE(tracker.boxes()[0].visible());
  CHECK(tracker.boxes()[1].visible());
}

TEST_CASE("boxes that overlap, and lie anywhere, come out where they were") {
  test::Random random(3);
  const auto features = random.numbers({12, 18, 40});  // no token is like another: labels stay
  for (int i = 0; i < 50; ++i) {
    std::vector<Box> boxes;
    for (int b = 0; b < 3; ++b) {
      const float left = 16 * (8 + random.number(8.0F));
      const float top = 16 * (4 + random.number(4.0F));
      boxes.push_back({left, top, left + 16 * (4.1F + random.number(1.0F)), top + 16 * (4.1F + random.number(1.0F))});
      boxes.back().right = std::min(boxes.back().right, 288.0F);
      boxes.back().bottom = std::min(boxes.back().bottom, 192.0F);
      if (boxes.back().width() < 48) boxes.back().left = boxes.back().right - 48;
    }
    rvm::BoxTracker tracker(features, boxes, 192, 288);
    tracker.step(features);
    for (std::size_t b = 0; b < boxes.size(); ++b) {
      const Box& found = tracker.boxes()[b];
      CAPTURE(boxes[b].left, boxes[b].top, boxes[b].right, boxes[b].bottom);
      CAPTURE(found.left, found.top, found.right, found.bottom);
      CHECK(difference(found, boxes[b]) < 0.01F);
    }
  }
  rvm::BoxTracker small(features, std::vector<Box>{{100, 100, 104, 105}}, 192, 288);  // a part of one token
  const Box& found = small.step(features)[0];
  CHECK(found.left < 100);
  CHECK(found.right > 104);
  CHECK(found.width() < 33);
  CHECK(found.height() < 33);
}

TEST_CASE("stray labels elsewhere do not widen a box") {
  // The label is as strong on a few tokens far away, as when something similar turns up.
  test::Random random(4);
  const auto features = random.numbers({12, 18, 40});
  auto next = features;
  rvm::BoxTracker tracker(features, std::vector<Box>{{32, 32, 96, 112}}, 192, 288);
  std::copy(features[3][4].begin(), features[3][4].end(), next[10][15].begin());
  std::copy(features[4][4].begin(), features[4][4].end(), next[10][16].begin());
  CHECK(difference(tracker.step(next)[0], {32, 32, 96, 112}) < 0.01F);
}

TEST_CASE("a step of a box tracker allocates nothing") {
  const test::MovingSquare scene(9, 11);
  const auto first = scene.features(1, 2);
  const auto second = scene.features(2, 3);
  rvm::BoxTracker tracker(first, std::vector<Box>{square_at(1, 2), {0, 0, 50, 60}}, scene.height(), scene.width());
  const std::size_t before = test::allocations();
  for (int i = 0; i < 25; ++i) tracker.step(i % 2 == 0 ? second : first);
  if (test::allocations_are_counted()) CHECK(test::allocations() == before);
}

TEST_CASE("bad boxes are refused") {
  const rvm::Tensor<float> features = test::Random(1).numbers({4, 5, 8});
  const auto make = [&](std::vector<Box> boxes) { rvm::BoxTracker tracker(features, boxes, 64, 80); };
  CHECK_THROWS_WITH(make({}), ContainsSubstring("no boxes"));
  CHECK_THROWS_WITH(make({{1, 1, 5, 5}, {90, 0, 100, 10}}), ContainsSubstring("box 1 has no area in a frame of 64x80"));
  CHECK_THROWS_AS(make({{5, 5, 5, 9}}), rvm::ArgumentError);
  CHECK_THROWS_AS(make({{0, 0, 1e-30F, 1e-30F}}), rvm::ArgumentError);  // a label of zero
  CHECK_THROWS_AS(make({{5, 5, std::numeric_limits<float>::quiet_NaN(), 9}}), rvm::ArgumentError);
  const std::vector<Box> box{{1, 1, 9, 9}};
  CHECK_THROWS_AS(rvm::BoxTracker(features, box, 0, 80), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::BoxTracker(rvm::Tensor<float>({4}), box, 64, 80), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::BoxTracker(features, box, 64, 80, {.temperature = 0}), rvm::ArgumentError);
}
