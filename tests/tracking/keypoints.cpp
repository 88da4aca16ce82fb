#include <rvm/tracking/keypoints.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"

namespace {

using rvm::Point;

}  // namespace

TEST_CASE("the fixture's pose becomes its heat map, and its propagated labels its poses") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto numbers = file.at("pose").as<double>();  // some of them outside the frame
  std::vector<Point> pose;
  for (std::size_t j = 0; j < numbers.shape()[0]; ++j) {
    pose.push_back({static_cast<float>(numbers(j, 0)), static_cast<float>(numbers(j, 1))});
  }
  CHECK(test::difference(rvm::pose_to_heatmap(pose, 10, 24, 151, 377), file.at("pose_heatmap").as<float>()) < 1e-6);
  const auto propagated = file.at("pose_propagated").as<float>();
  const auto expected = file.at("poses").as<float>();
  for (std::size_t t = 0; t < propagated.shape()[0]; ++t) {
    const auto found = rvm::heatmap_to_pose(propagated[t], 151, 377);
    for (std::size_t j = 0; j < pose.size(); ++j) {
      CHECK(std::abs(found[j].x - expected(t, j, 0)) < 1e-3F);
      CHECK(std::abs(found[j].y - expected(t, j, 1)) < 1e-3F);
    }
  }
}

TEST_CASE("points that are not visible or far outside have no heat, and come back not visible") {
  const std::vector<Point> points{{}, {40, 40}, {1e6F, 10}, {1e30F, -1e30F}, {-200, 5}};
  const auto heatmap = rvm::pose_to_heatmap(points, 5, 6, 80, 96);
  for (std::size_t i = 0; i < heatmap.size(); i += 6) {
    const float* const token = heatmap.data() + i;
    CHECK(token[1] == 0.0F);
    CHECK(token[3] + token[4] + token[5] == 0.0F);
    CHECK(token[0] == (token[2] == 0.0F ? 1.0F : 0.0F));
  }
  const auto found = rvm::heatmap_to_pose(heatmap, 80, 96);
  CHECK(found[0] == Point{});
  CHECK(found[1].visible());
  CHECK(std::hypot(found[1].x - 40, found[1].y - 40) < 12);
  for (const std::size_t j : {2U, 3U, 4U}) CHECK_FALSE(found[j].visible());
}

TEST_CASE("a point is the mean place of its five strongest tokens") {
  rvm::Tensor<float> heatmap({2, 4, 2});
  const std::vector<float> values{0.1F, 0.5F, 0.2F, 0.0F, 0.3F, 0.4F, 0.1F, 0.1F};  // 0.1 of three: the first counts
  for (std::size_t i = 0; i < values.size(); ++i) heatmap.data()[2 * i + 1] = values[i];
  const Point found = rvm::heatmap_to_pose(heatmap, 20, 80)[0];
  const float x = (0 * 0.1F + 1 * 0.5F + 2 * 0.2F + 0 * 0.3F + 1 * 0.4F) / 1.5F;
  CHECK(std::abs(found.x - x / 4 * 80) < 1e-4F);
  CHECK(std::abs(found.y - 0.7F / 1.5F / 2 * 20) < 1e-4F);

  rvm::Tensor<float> one({1, 1, 2});
  one(0, 0, 1) = 0.25F;
  CHECK(rvm::heatmap_to_pose(one, 16, 16)[0] == Point{0, 0});
}

TEST_CASE("what is no point or no heat map is refused") {
  CHECK_THROWS_WITH(rvm::pose_to_heatmap({}, 2, 2, 32, 32), ContainsSubstring("no points"));
  const std::vector<Point> points{{1, 2}};
  CHECK_THROWS_AS(rvm::pose_to_heatmap(points, 0, 2, 32, 32), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::pose_to_heatmap(points, 2, 2, 32, 0), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::pose_to_heatmap(points, 2, 2, 32, 32, 0.0), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::pose_to_heatmap(points, 2, 2, 32, 32, std::nan("")), rvm::ArgumentError);
  const std::vector<Point> bad{{1, std::numeric_limits<float>::infinity()}};
  CHECK_THROWS_WITH(rvm::pose_to_heatmap(bad, 2, 2, 32, 32), ContainsSubstring("point 0"));
  CHECK_THROWS_AS(rvm::heatmap_to_pose(rvm::Tensor<float>({2, 3}), 32, 48), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::heatmap_to_pose(rvm::Tensor<float>({2, 3, 2}), 0, 48), rvm::ArgumentError);
  std::vector<Point> room(2);
  CHECK_THROWS_WITH(rvm::heatmap_to_pose(rvm::Tensor<float>({2, 3, 2}), 32, 48, room),
                    ContainsSubstring("holds 1 points, found room for 2"));
}
