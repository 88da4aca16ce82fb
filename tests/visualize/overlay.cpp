#include <rvm/visualize/overlay.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using rvm::Colour;
using rvm::Point;

namespace {

constexpr Colour kRed{255, 0, 0};

rvm::Image grey(std::size_t height, std::size_t width) {
  rvm::Image image(height, width);
  std::fill(image.bytes().begin(), image.bytes().end(), std::uint8_t{100});
  return image;
}

Colour at(const rvm::Image& image, std::size_t y, std::size_t x) {
  return {image.bytes()(y, x, 0), image.bytes()(y, x, 1), image.bytes()(y, x, 2)};
}

bool same(const rvm::Image& a, const rvm::Image& b) {
  return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// The sum over the image of how far it has gone from grey to white, 1 for a white pixel.
double whiteness(const rvm::Image& image) {
  double sum = 0;
  for (std::size_t i = 0; i < image.bytes().size(); i += 3) sum += (image.bytes().data()[i] - 100.0) / 155.0;
  return sum;
}

}  // namespace

TEST_CASE("a mask is laid over with its opacity, its edge drawn in full") {
  rvm::Image image = grey(8, 10);
  rvm::LabelImage mask({8, 10});
  for (std::size_t y = 2; y < 8; ++y) {
    for (std::size_t x = 1; x < 9; ++x) mask(y, x) = x < 5 ? 1 : 2;
  }
  rvm::draw_mask(image, mask, 0.25F);
  CHECK(at(image, 0, 0) == Colour{100, 100, 100});
  CHECK(at(image, 1, 4) == Colour{100, 100, 100});
  CHECK(at(image, 4, 2) == Colour{107, 75, 75});
  CHECK(at(image, 4, 7) == Colour{75, 107, 75});
  CHECK(at(image, 2, 3) == Colour{128, 0, 0});
  CHECK(at(image, 4, 4) == Colour{128, 0, 0});  // where the labels meet
  CHECK(at(image, 4, 5) == Colour{0, 128, 0});
  CHECK(at(image, 7, 2) == Colour{107, 75, 75});  // the picture's end is not an edge

  rvm::Image third = grey(8, 10);
  rvm::draw_mask(third, mask, 0.34F);
  CHECK(at(third, 4, 2) == Colour{110, 66, 66});  // 109.52 and 66

  rvm::Image unchanged = grey(8, 10);
  rvm::draw_mask(unchanged, rvm::LabelImage({8, 10}), 1);
  CHECK(same(unchanged, grey(8, 10)));
}

TEST_CASE("masks that do not fit are refused, the image left alone") {
  rvm::Image image = grey(8, 10);
  CHECK_THROWS_WITH(rvm::draw_mask(image, rvm::LabelImage({10, 8})),
                    ContainsSubstring("expected a mask (8, 10), found (10, 8)"));
  rvm::LabelImage mask({8, 10});
  std::fill(mask.begin(), mask.end(), std::uint8_t{1});
  for (const float opacity : {-0.1F, 1.1F, std::numeric_limits<float>::quiet_NaN()}) {
    CHECK_THROWS_AS(rvm::draw_mask(image, mask, opacity), rvm::ArgumentError);
  }
  CHECK(same(image, grey(8, 10)));
  rvm::Image floats(8, 10, rvm::PixelFormat::kRgbFloat);
  rvm::Image none;
  CHECK_THROWS_AS(rvm::draw_mask(floats, mask), rvm::FrameError);
  CHECK_THROWS_AS(rvm::draw_points(floats, std::vector<Point>{{1, 1}}), rvm::FrameError);
  CHECK_THROWS_AS(rvm::draw_trail(floats, {}, kRed), rvm::FrameError);
  CHECK_THROWS_AS(rvm::draw_box(none, {}, kRed), rvm::FrameError);
}

TEST_CASE("a disc has its area wherever between pixels it lies") {
  test::Random random(3);
  for (int i = 0; i < 50; ++i) {
    rvm::Image image = grey(40, 40);
    const float radius = 5 + random.number(2);
    rvm::detail::draw_disc(image, {20 + random.number(), 20 + random.number()}, radius, {255, 255, 255});
    CHECK(whiteness(image) == Approx(3.14159265 * radius * radius).epsilon(0.02));
  }
}

TEST_CASE("a line has its area, whatever its direction, and parts of a line no seam") {
  test::Random random(4);
  for (int i = 0; i < 50; ++i) {
    const Point from{40 + random.number(20), 40 + random.number(20)};
    const Point to{40 + random.number(20), 40 + random.number(20)};
    const Point between{(2 * from.x + to.x) / 3, (2 * from.y + to.y) / 3};
    rvm::Image whole = grey(80, 80);
    rvm::detail::draw_line(whole, from, to, 3, {255, 255, 255}, 0.8F);
    const double length = std::hypot(to.x - from.x, to.y - from.y);
    CHECK(whiteness(whole) == Approx(0.8 * 3 * length).epsilon(0.06).margin(8));
    rvm::Image parts = grey(80, 80);
    rvm::detail::draw_line(parts, from, between, 3, {255, 255, 255}, 0.8F);
    rvm::detail::draw_line(parts, between, to, 3, {255, 255, 255}, 0.8F);
    CHECK(std::abs(whiteness(parts) - whiteness(whole)) < 1.0);
  }
}

TEST_CASE("points are discs with a dark outline in colours of their own") {
  rvm::Image image = grey(60, 60);
  const std::vector<Point> points{{20.5F, 30.5F}, {}, {45, 10}};
  rvm::draw_points(image, points, 5);
  CHECK(at(image, 30, 20) == rvm::distinct_colour(0));
  CHECK(at(image, 10, 45) == rvm::distinct_colour(2));
  CHECK(at(image, 30, 26) == Colour{20, 20, 20});
  CHECK(at(image, 30, 28) == Colour{100, 100, 100});
  CHECK(at(image, 0, 0) == Colour{100, 100, 100});  // (-1, -1) is not seen
  CHECK(rvm::mark_size(image) == 2);
  CHECK(rvm::mark_size(rvm::Image(480, 880)) == 4.8F);
}

TEST_CASE("a trail fades towards the past and is broken where the point was not seen") {
  rvm::Image image = grey(40, 120);
  std::vector<Point> trail;
  for (int i = 0; i <= 10; ++i) trail.push_back({10.0F + 10 * static_cast<float>(i), 20});
  trail[5] = {};
  rvm::draw_trail(image, trail, {255, 255, 255}, 4);
  CHECK(at(image, 19, 105)[0] == 255);
  for (const std::size_t x : {15U, 25U, 35U, 75U, 85U, 95U}) {
    CAPTURE(x);
    CHECK(at(image, 19, x)[0] > 100);
    CHECK(at(image, 19, x)[0] < at(image, 19, x + 10)[0] + (x == 35 ? 255 : 0));
  }
  CHECK(at(image, 19, 55)[0] == 100);
  CHECK(at(image, 19, 65)[0] == 100);
  CHECK(at(image, 15, 105)[0] == 100);
  rvm::Image still = grey(40, 120);
  rvm::draw_trail(still, std::vector<Point>(5, Point{20, 20}), kRed);
  rvm::draw_trail(still, std::vector<Point>(1, Point{20, 20}), kRed);
  CHECK(same(still, grey(40, 120)));
}

TEST_CASE("a box is drawn along its edge alone") {
  rvm::Image image = grey(40, 60);
  rvm::draw_box(image, {10, 8, 50, 32}, kRed, 2);
  for (const auto& [y, x] : {std::pair{20, 10}, {20, 9}, {20, 50}, {20, 49}, {8, 30}, {7, 30}, {31, 30}, {32, 30}}) {
    CAPTURE(y, x);
    CHECK(at(image, static_cast<std::size_t>(y), static_cast<std::size_t>(x)) == kRed);
  }
  CHECK(at(image, 20, 8) == Colour{20, 20, 20});
  CHECK(at(image, 20, 11) == Colour{20, 20, 20});
  CHECK(at(image, 20, 30) == Colour{100, 100, 100});
  CHECK(at(image, 2, 2) == Colour{100, 100, 100});
  rvm::Image none = grey(40, 60);
  rvm::draw_box(none, {}, kRed);
  CHECK(same(none, grey(40, 60)));
}

TEST_CASE("marks beyond the edge and places that are none are left out") {
  constexpr float kHuge = 1e30F;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  rvm::Image image = grey(20, 30);
  const std::vector<Point> outside{{-50, 10}, {10, -50}, {kHuge, 5}, {5, -kHuge}, {kNan, 5}, {kInfinite, kInfinite}};
  rvm::draw_points(image, outside, 3);
  rvm::draw_box(image, {-kHuge, -kHuge, kHuge, kHuge}, kRed);
  rvm::draw_box(image, {kNan, 0, 10, 10}, kRed);
  rvm::draw_box(image, {100, 100, 200, 200}, kRed);
  CHECK(same(image, grey(20, 30)));
  rvm::draw_trail(image, std::vector<Point>{{-20, 10}, {60, 10}, {kNan, 3}, {kHuge, kHuge}, {-kHuge, 3}}, kRed, 2);
  rvm::draw_points(image, std::vector<Point>{{29.5F, 19.5F}, {0, 0}}, 3);
  CHECK(at(image, 19, 29) == rvm::distinct_colour(0));
  CHECK(at(image, 0, 0) == rvm::distinct_colour(1));
}
