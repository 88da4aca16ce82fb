#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <rvm/image/lanczos.hpp>
#include <rvm/weights/npz.hpp>

#include "support/catch.hpp"

using rvm::FrameError;
using rvm::FrameView;
using rvm::Image;
using rvm::PixelFormat;
using rvm::Tensor;

namespace {

/// Resizes in_i to the size of out_i, for all i of a fixture, and compares.
template <class Element>
void check_against_pillow(const std::string& file, std::size_t cases, double tolerance) {
  const rvm::Weights arrays = rvm::load_npz(std::string(RVM_TEST_DATA) + "/" + file);
  rvm::Resizer resizer;
  Image out;
  for (std::size_t i = 0; i < cases; ++i) {
    CAPTURE(file, i);
    const Tensor<Element> in = arrays.at("in_" + std::to_string(i)).template as<Element>();
    const Tensor<Element> expected = arrays.at("out_" + std::to_string(i)).template as<Element>();
    resizer.resize(FrameView(in.data(), in.shape()[0], in.shape()[1]), expected.shape()[0], expected.shape()[1], out);
    const rvm::TensorView<Element> found = rvm::detail::pixels_of<Element>(out);
    REQUIRE(found.shape() == expected.shape());
    CHECK(std::equal(found.begin(), found.end(), expected.begin(), [&](Element a, Element b) {
      return std::abs(static_cast<double>(a) - static_cast<double>(b)) <= tolerance;
    }));
  }
}

Tensor<std::uint8_t> noise(const rvm::Shape& shape) {
  Tensor<std::uint8_t> tensor(shape);
  std::uint32_t state = 1;
  for (std::uint8_t& value : tensor) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return tensor;
}

bool same_bytes(const Image& a, const Image& b) {
  return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

}  // namespace

TEST_CASE("resizing bytes gives Pillow's bytes") {
  check_against_pillow<std::uint8_t>("lanczos.npz", 6, 0.0);
  check_against_pillow<std::uint8_t>("lanczos_more.npz", 24, 0.0);
}

TEST_CASE("resizing floats gives what Pillow gives per channel, to rounding, unclipped") {
  check_against_pillow<float>("lanczos_float.npz", 3, 1e-6);
}

TEST_CASE("every 8-bit format resizes as its RGB copy does, whichever passes are needed") {
  const auto format = GENERATE(PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kBgra, PixelFormat::kGrey);
  const Tensor<std::uint8_t> pixels = noise({40, 30, 4});
  const FrameView frame(pixels.data(), 40, 30, format, 120);
  const Image rgb = to_rgb(frame);
  for (const auto& [height, width] : {std::pair{20U, 25U}, {40U, 17U}, {50U, 30U}, {8U, 64U}, {40U, 30U}}) {
    CAPTURE(height, width);
    CHECK(same_bytes(resize(frame, height, width), resize(rgb, height, width)));
  }
}

TEST_CASE("padding and bottom-up rows resize as the plain image does") {
  const Tensor<std::uint8_t> pixels = noise({20, 64});
  const FrameView padded(pixels.data(), 20, 21, PixelFormat::kRgb, 64);
  CHECK(same_bytes(resize(padded, 9, 33), resize(to_rgb(padded), 9, 33)));
  const FrameView bottom_up(pixels.data() + 19 * 64, 20, 21, PixelFormat::kRgb, -64);
  CHECK(same_bytes(resize(bottom_up, 33, 9), resize(to_rgb(bottom_up), 33, 9)));
}

TEST_CASE("a resizer gives the same when it changes sizes and formats in between") {
  const Tensor<std::uint8_t> pixels = noise({30, 40, 3});
  const FrameView frame(pixels.data(), 30, 40);
  const Tensor<float> floats({8, 8, 3});
  rvm::Resizer resizer;
  Image out;
  resizer.resize(frame, 16, 16, out);
  const Image first = out;
  resizer.resize(FrameView(floats.data(), 8, 8), 16, 16, out);
  CHECK(out.format() == PixelFormat::kRgbFloat);
  resizer.resize(frame, 60, 10, out);
  resizer.resize(frame, 16, 16, out);
  CHECK(same_bytes(out, first));
}

TEST_CASE("a warm resizer keeps the memory of its output") {
  const Tensor<std::uint8_t> pixels = noise({30, 40, 3});
  const FrameView frame(pixels.data(), 30, 40);
  rvm::Resizer resizer;
  Image out;
  resizer.resize(frame, 16, 16, out);
  const std::uint8_t* const data = out.bytes().data();
  resizer.resize(frame, 16, 16, out);
  CHECK(out.bytes().data() == data);
}

TEST_CASE("an even grey stays that grey") {
  Image image(13, 29);
  std::fill(image.bytes().begin(), image.bytes().end(), std::uint8_t{100});
  for (const std::size_t size : {1U, 7U, 64U}) {
    const Image out = resize(image, size, size);
    CHECK(std::all_of(out.bytes().begin(), out.bytes().end(), [](std::uint8_t value) { return value == 100; }));
  }
}

TEST_CASE("nothing is resized from or to an empty image") {
  const Image image(4, 4);
  CHECK_THROWS_AS(rvm::resize(FrameView(), 4, 4), FrameError);
  CHECK_THROWS_AS(resize(image, 0, 4), FrameError);
  CHECK_THROWS_AS(resize(image, 4, 0), FrameError);
}
