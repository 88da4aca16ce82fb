#include <rvm/tracking/point_tracker.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/moving_square.hpp"

namespace {

using rvm::Point;

double distance(const Point& a, const Point& b) {
  return std::hypot(static_cast<double>(a.x) - static_cast<double>(b.x),
                    static_cast<double>(a.y) - static_cast<double>(b.y));
}

}  // namespace

TEST_CASE("the fixture's poses") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto features = file.at("features").as<float>();
  const auto numbers = file.at("pose").as<double>();
  const auto expected = file.at("poses").as<float>();
  std::vector<Point> pose;
  for (std::size_t j = 0; j < numbers.shape()[0]; ++j) {
    pose.push_back({static_cast<float>(numbers(j, 0)), static_cast<float>(numbers(j, 1))});
  }
  rvm::PointTracker tracker(features[0], pose, 151, 377);
  std::size_t off = 0;  // where the fifth and sixth strongest tokens are equal but for rounding
  for (std::size_t t = 0; t < features.shape()[0]; ++t) {
    const auto points = t == 0 ? tracker.points() : tracker.step(features[t]);
    for (std::size_t j = 0; j < pose.size(); ++j) {
      const double d = distance(points[j], {expected(t, j, 0), expected(t, j, 1)});
      off += d > 1e-3;
      CHECK(d < 16);
    }
  }
  CAPTURE(off);
  CHECK(off <= 4);
}

TEST_CASE("points move exactly as the square that they are on") {
  const test::MovingSquare scene(12, 16);
  const auto path = scene.path(24);
  std::vector<Point> points;
  for (const float at : {2.5F, 3.0F, 3.7F}) {
    points.push_back({16 * (static_cast<float>(path[0][1]) + at), 16 * (static_cast<float>(path[0][0]) + 3.2F)});
  }
  rvm::PointTracker tracker(scene.features(path[0][0], path[0][1]), points, scene.height(), scene.width());
  const std::vector<Point> first(tracker.points().begin(), tracker.points().end());
  for (std::size_t j = 0; j < points.size(); ++j) CHECK(distance(first[j], points[j]) < 16);
  for (std::size_t t = 1; t < path.size(); ++t) {
    const auto found = tracker.step(scene.features(path[t][0], path[t][1]));
    for (std::size_t j = 0; j < points.size(); ++j) {
      const Point expected{first[j].x + 16 * static_cast<float>(path[t][1] - path[0][1]),
                           first[j].y + 16 * static_cast<float>(path[t][0] - path[0][0])};
      CAPTURE(t, j, found[j].x, found[j].y, expected.x, expected.y);
      CHECK(distance(found[j], expected) < 0.01);
    }
  }
}

TEST_CASE("a point is not visible while what it is on is away, and found again") {
  const test::MovingSquare scene(12, 14);
  const std::vector<Point> points{{16 * 5.4F, 16 * 5.3F}, {}};  // the second was never seen
  rvm::PointTracker tracker(scene.features(2, 3), points, scene.height(), scene.width());
  const Point first = tracker.points()[0];
  CHECK(first.visible());
  for (int t = 0; t < 13; ++t) {  // 7 frames of the context have it, and the first
    const auto found = tracker.step(scene.features(-20, -20));
    CHECK(found[0] == Point{});
    CHECK_FALSE(found[1].visible());
  }
  const auto found = tracker.step(scene.features(5, 6));
  CHECK(distance(found[0], {first.x + 48, first.y + 48}) < 0.01);
  CHECK(found[1] == Point{});
}

TEST_CASE("a step of a point tracker allocates nothing") {
  const test::MovingSquare scene(9, 11);
  const auto first = scene.features(1, 2);
  const auto second = scene.features(2, 3);
  rvm::PointTracker tracker(first, std::vector<Point>{{60, 70}, {3, 4}}, scene.height(), scene.width());
  const std::size_t before = test::allocations();
  for (int i = 0; i < 25; ++i) tracker.step(i % 2 == 0 ? second : first);
  if (test::allocations_are_counted()) CHECK(test::allocations() == before);
}

TEST_CASE("bad points are refused") {
  const rvm::Tensor<float> features = test::Random(1).numbers({4, 5, 8});
  const std::vector<Point> point{{3, 4}};
  CHECK_THROWS_WITH(rvm::PointTracker(features, {}, 64, 80), ContainsSubstring("no points"));
  CHECK_THROWS_AS(rvm::PointTracker(features, point, 0, 80), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::PointTracker(features, point, 64, 80, {.top_k = 0}), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::PointTracker(rvm::Tensor<float>({4, 5}), point, 64, 80), rvm::ArgumentError);
  const std::vector<Point> bad{{3, 4}, {std::numeric_limits<float>::quiet_NaN(), 0}};
  CHECK_THROWS_WITH(rvm::PointTracker(features, bad, 64, 80), ContainsSubstring("point 1"));
}
