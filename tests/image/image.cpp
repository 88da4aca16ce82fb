#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include <rvm/image/image.hpp>

#include "support/catch.hpp"

using rvm::FrameError;
using rvm::FrameView;
using rvm::Image;
using rvm::PixelFormat;
using rvm::to_rgb;

namespace {
std::vector<std::uint8_t> pixels(const Image& image) {
  return {image.bytes().begin(), image.bytes().end()};
}
}  // namespace

TEST_CASE("an image is black at birth") {
  const Image image(2, 3);
  CHECK(image.height() == 2);
  CHECK(image.width() == 3);
  CHECK(image.format() == PixelFormat::kRgb);
  CHECK(pixels(image) == std::vector<std::uint8_t>(18, 0));
  CHECK(image.floats().empty());
}

TEST_CASE("an image holds bytes or floats") {
  Image image(1, 2, PixelFormat::kRgbFloat);
  CHECK(image.format() == PixelFormat::kRgbFloat);
  CHECK(image.bytes().empty());
  image.floats()(0, 1, 2) = 0.5F;
  const FrameView frame = image;
  CHECK(frame.format() == PixelFormat::kRgbFloat);
  CHECK(frame.float_row(0)[5] == 0.5F);
}

TEST_CASE("an image without pixels is an empty frame") {
  const Image image;
  CHECK(image.empty());
  CHECK(image.height() == 0);
  CHECK(image.width() == 0);
  CHECK(image.view().empty());
}

TEST_CASE("an image refuses an empty size and other formats") {
  CHECK_THROWS_AS(Image(0, 3), FrameError);
  CHECK_THROWS_AS(Image(3, 0), FrameError);
  CHECK_THROWS_AS(Image(3, 3, PixelFormat::kBgr), FrameError);
}

TEST_CASE("copies of an image are deep, and one moved from is empty") {
  Image image(1, 1);
  image.bytes()(0, 0, 1) = 7;
  const Image copy = image;
  image.bytes()(0, 0, 1) = 8;
  CHECK(copy.bytes()(0, 0, 1) == 7);
  const Image moved = std::move(image);
  CHECK(moved.bytes()(0, 0, 1) == 8);
  CHECK(image.empty());
  CHECK(image.width() == 0);
}

TEST_CASE("reset keeps what fits") {
  Image image(2, 3);
  const std::uint8_t* const data = image.bytes().data();
  image.reset(2, 3);
  CHECK(image.bytes().data() == data);
  image.reset(3, 2);
  CHECK(image.height() == 3);
  image.reset(3, 2, PixelFormat::kRgbFloat);
  CHECK(image.format() == PixelFormat::kRgbFloat);
  CHECK(image.bytes().empty());
}

TEST_CASE("to_rgb takes every 8-bit format") {
  const std::array<std::uint8_t, 8> bytes{10, 20, 30, 40, 50, 60, 70, 80};
  const auto convert = [&](PixelFormat format) { return pixels(to_rgb(FrameView(bytes.data(), 1, 2, format))); };
  using Bytes = std::vector<std::uint8_t>;
  CHECK(convert(PixelFormat::kRgb) == Bytes{10, 20, 30, 40, 50, 60});
  CHECK(convert(PixelFormat::kBgr) == Bytes{30, 20, 10, 60, 50, 40});
  CHECK(convert(PixelFormat::kRgba) == Bytes{10, 20, 30, 50, 60, 70});
  CHECK(convert(PixelFormat::kBgra) == Bytes{30, 20, 10, 70, 60, 50});
  CHECK(convert(PixelFormat::kGrey) == Bytes{10, 10, 10, 20, 20, 20});
}

TEST_CASE("to_rgb leaves padding behind and turns images stored bottom up") {
  const std::array<std::uint8_t, 4> bytes{1, 99, 2, 99};
  CHECK(pixels(to_rgb(FrameView(bytes.data(), 2, 1, PixelFormat::kGrey, 2))) ==
        std::vector<std::uint8_t>{1, 1, 1, 2, 2, 2});
  CHECK(pixels(to_rgb(FrameView(&bytes[2], 2, 1, PixelFormat::kGrey, -2))) ==
        std::vector<std::uint8_t>{2, 2, 2, 1, 1, 1});
}

TEST_CASE("to_rgb keeps floats and refuses an empty frame") {
  const std::array<float, 3> floats{0.25F, -1.0F, 2.0F};
  const Image image = to_rgb(FrameView(floats.data(), 1, 1));
  CHECK(std::equal(floats.begin(), floats.end(), image.floats().begin(), image.floats().end()));
  CHECK_THROWS_AS(to_rgb(FrameView()), FrameError);
}
