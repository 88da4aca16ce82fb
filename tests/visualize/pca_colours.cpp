#include <rvm/visualize/pca_colours.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "support/catch.hpp"
#include "support/random.hpp"

TEST_CASE("colours are in [0, 1], spread out, and the same for the same feature") {
  const rvm::Tensor<float> clip = test::Random(1).numbers({2, 10, 12, 8});
  const rvm::PcaColours colours(clip);
  const rvm::Image first = colours(clip[0]);
  CHECK(first.height() == 10);
  CHECK(first.width() == 12);
  const auto [low, high] = std::minmax_element(first.floats().begin(), first.floats().end());
  CHECK(*low >= 0.0F);
  CHECK(*low < 0.05F);
  CHECK(*high <= 1.0F);
  CHECK(*high > 0.95F);

  rvm::Tensor<float> moved({10, 12, 8});  // the first frame's features at other places
  for (std::size_t y = 0; y < 10; ++y) {
    for (std::size_t x = 0; x < 12; ++x) std::copy(clip[0][y][x].begin(), clip[0][y][x].end(), moved[9 - y][x].begin());
  }
  const rvm::Image second = colours(moved);
  for (std::size_t c = 0; c < 3; ++c) CHECK(second.floats()(9, 3, c) == first.floats()(0, 3, c));
}

TEST_CASE("of a hundred features one at either end does not narrow the colours of the others") {
  rvm::Tensor<float> features({10, 20, 3});
  for (std::size_t i = 0; i < 200; ++i) features.data()[3 * i] = static_cast<float>(i);
  features.data()[0] = -1000;
  features.data()[3 * 199] = 1000;
  const rvm::Image image = rvm::PcaColours(features)(features);
  const auto red = [&](std::size_t i) { return image.floats().data()[3 * i]; };
  CHECK(red(0) == 0.0F);
  CHECK(red(2) == 0.0F);
  CHECK(std::abs(red(100) - 98.0F / 195) < 1e-4F);
  CHECK(red(197) == 1.0F);
  CHECK(red(199) == 1.0F);
}

TEST_CASE("features that do not vary are grey, and those of too few numbers refused") {
  const rvm::Tensor<float> still({3, 3, 5});
  const rvm::Image image = rvm::PcaColours(still)(still);
  CHECK(std::all_of(image.floats().begin(), image.floats().end(), [](float v) { return v == 0.5F; }));
  CHECK_THROWS_AS(rvm::PcaColours(rvm::Tensor<float>({3, 3, 2})), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::PcaColours(rvm::Tensor<float>({0, 3, 5})), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::PcaColours(still)(rvm::Tensor<float>({3, 5})), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::PcaColours(still)(rvm::Tensor<float>({3, 3, 6})), rvm::ArgumentError);
}
