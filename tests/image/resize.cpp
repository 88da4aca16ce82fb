#include <rvm/image/resize.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"
#include "support/random.hpp"

TEST_CASE("nearest copies the pixel at floor(i * in / out), and exact the one under the centre") {
  test::Random random(1);
  for (int i = 0; i < 60; ++i) {
    const auto image = random.bytes({random.between(1, 20), random.between(1, 20), random.between(1, 3)});
    const std::size_t height = random.between(1, 40);
    const std::size_t width = random.between(1, 40);
    const std::size_t channels = image.shape()[2];
    const auto nearest = rvm::resize_nearest(image, height, width);
    const auto exact = rvm::resize_nearest_exact(image.view(), height, width);
    CHECK(nearest.shape() == rvm::Shape{height, width, channels});
    std::size_t wrong = 0;
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        const auto centre = [](std::size_t at, std::size_t in, std::size_t out) {
          return static_cast<std::size_t>((static_cast<double>(at) + 0.5) * static_cast<double>(in) /
                                          static_cast<double>(out));
        };
        // With steps that double cannot hold, the first product may fall just below a whole number.
        const auto corner = [](std::size_t at, std::size_t in, std::size_t out) {
          const double step = static_cast<double>(in) / static_cast<double>(out);
          return static_cast<std::size_t>(std::floor(static_cast<double>(at) * step));
        };
        for (std::size_t c = 0; c < channels; ++c) {
          wrong +=
              nearest(y, x, c) != image(corner(y, image.shape()[0], height), corner(x, image.shape()[1], width), c);
          wrong += exact(y, x, c) != image(centre(y, image.shape()[0], height), centre(x, image.shape()[1], width), c);
        }
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("bilinear is linear between the centres of pixels and constant beyond the last") {
  rvm::Tensor<float> image({2, 3});  // a plane: 10 y + x at the centres
  for (std::size_t y = 0; y < 2; ++y) {
    for (std::size_t x = 0; x < 3; ++x)
      image(y, x) = 10 * (static_cast<float>(y) + 0.5F) + static_cast<float>(x) + 0.5F;
  }
  for (const std::size_t height : {1U, 2U, 5U, 16U}) {
    for (const std::size_t width : {1U, 2U, 3U, 7U, 24U}) {
      const auto out = rvm::resize_bilinear(image, height, width);
      for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
          const auto at = [](std::size_t i, std::size_t in, std::size_t n) {
            const double centre = (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(n);
            return std::clamp(centre, 0.5, static_cast<double>(in) - 0.5);
          };
          const double expected = 10 * at(y, 2, height) + at(x, 3, width);
          CHECK(std::abs(static_cast<double>(out(y, x)) - expected) < 1e-5);
        }
      }
    }
  }
  const auto same = test::Random(2).numbers({4, 5, 3});
  CHECK(std::ranges::equal(rvm::resize_bilinear(same, 4, 5), same));
}

TEST_CASE("what has no pixels is not resized") {
  const rvm::Tensor<float> image({4, 5, 2});
  CHECK_THROWS_AS(rvm::resize_nearest(image, 0, 3), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::resize_nearest_exact(image, 3, 0), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::resize_bilinear(rvm::Tensor<float>({0, 5}), 3, 3), rvm::ArgumentError);
  CHECK_THROWS_WITH(rvm::resize_bilinear(rvm::Tensor<float>({7}), 3, 4), ContainsSubstring("shape (7,) to 3x4"));
}
