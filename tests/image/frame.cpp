#include <array>
#include <cstdint>

#include <rvm/image/frame.hpp>

#include "support/catch.hpp"

using rvm::FrameError;
using rvm::FrameView;
using rvm::PixelFormat;

namespace {
constexpr std::array<std::uint8_t, 24> kBytes{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                              12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
constexpr std::array<float, 12> kFloats{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
}  // namespace

TEST_CASE("a frame finds its rows") {
  const FrameView frame(kBytes.data(), 2, 3);
  CHECK(frame.height() == 2);
  CHECK(frame.width() == 3);
  CHECK(frame.format() == PixelFormat::kRgb);
  CHECK(frame.row_stride() == 9);
  CHECK_FALSE(frame.empty());
  CHECK(*frame.row(1) == 9);
}

TEST_CASE("rows may be padded") {
  const FrameView frame(kBytes.data(), 2, 3, PixelFormat::kRgb, 12);
  CHECK(*frame.row(1) == 12);
  const FrameView floats(kFloats.data(), 2, 1, 6 * sizeof(float));
  CHECK(*floats.float_row(1) == 6.0F);
}

TEST_CASE("a negative stride is an image stored bottom up") {
  const FrameView frame(&kBytes[9], 2, 3, PixelFormat::kRgb, -9);
  CHECK(*frame.row(0) == 9);
  CHECK(*frame.row(1) == 0);
  const FrameView floats(&kFloats[3], 2, 1, -static_cast<std::ptrdiff_t>(3 * sizeof(float)));
  CHECK(*floats.float_row(1) == 0.0F);
}

TEST_CASE("a row is as long as its format says") {
  const auto [format, bytes] = GENERATE(table<PixelFormat, std::size_t>({{PixelFormat::kRgb, 3},
                                                                         {PixelFormat::kBgr, 3},
                                                                         {PixelFormat::kRgba, 4},
                                                                         {PixelFormat::kBgra, 4},
                                                                         {PixelFormat::kGrey, 1}}));
  CHECK(rvm::bytes_per_pixel(format) == bytes);
  CHECK(FrameView(kBytes.data(), 1, 5, format).row_stride() == static_cast<std::ptrdiff_t>(5 * bytes));
}

TEST_CASE("a frame without pixels is refused") {
  const std::uint8_t* const no_bytes = nullptr;
  const float* const no_floats = nullptr;
  CHECK_THROWS_AS(FrameView(no_bytes, 2, 3), FrameError);
  CHECK_THROWS_AS(FrameView(no_floats, 2, 3), FrameError);
  CHECK_THROWS_AS(FrameView(kBytes.data(), 0, 3), FrameError);
  CHECK_THROWS_WITH(FrameView(kBytes.data(), 2, 0), ContainsSubstring("2x0"));
  CHECK(FrameView().empty());
}

TEST_CASE("a stride shorter than a row is refused, in either direction") {
  CHECK_THROWS_WITH(FrameView(kBytes.data(), 2, 3, PixelFormat::kRgb, 8),
                    ContainsSubstring("stride of 8 bytes") && ContainsSubstring("rows of 9"));
  CHECK_THROWS_AS(FrameView(&kBytes[9], 2, 3, PixelFormat::kRgb, -8), FrameError);
  CHECK_THROWS_AS(FrameView(kFloats.data(), 2, 1, 8), FrameError);
}

TEST_CASE("bytes and floats are not taken for each other") {
  CHECK_THROWS_WITH(FrameView(kBytes.data(), 1, 1, PixelFormat::kRgbFloat), ContainsSubstring("kRgbFloat"));
  CHECK_THROWS_WITH(FrameView(kFloats.data(), 2, 1, 14), ContainsSubstring("multiple of 4"));
  CHECK(FrameView(kFloats.data(), 2, 2).format() == PixelFormat::kRgbFloat);
}
