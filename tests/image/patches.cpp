#include <rvm/image/patches.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

std::array<float, rvm::kPatchValues> patch(const rvm::FrameView& frame, std::size_t py, std::size_t px) {
  std::array<float, rvm::kPatchValues> out{};
  rvm::extract_patch(frame, py, px, out.data());
  return out;
}

}  // namespace

TEST_CASE("a patch is its pixels in the order row, column, channel, in [0, 1]") {
  const auto pixels = test::Random(1).bytes({32, 48, 3});
  const rvm::FrameView frame(pixels.data(), 32, 48);
  for (std::size_t py = 0; py < 2; ++py) {
    for (std::size_t px = 0; px < 3; ++px) {
      const auto found = patch(frame, py, px);
      std::size_t wrong = 0;
      for (std::size_t y = 0; y < 16; ++y) {
        for (std::size_t x = 0; x < 16; ++x) {
          for (std::size_t c = 0; c < 3; ++c) {
            const float expected = static_cast<float>(pixels(py * 16 + y, px * 16 + x, c)) / 255.0F;
            wrong += found[(y * 16 + x) * 3 + c] != expected;
          }
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a patch takes each format's channels where they lie, and floats as they are") {
  test::Random random(2);
  const auto bytes = random.bytes({16, 70});
  const auto first = [&](rvm::PixelFormat format) {
    const auto found = patch(rvm::FrameView(bytes.data() + 3, 16, 16, format, 70), 0, 0);
    return std::array{found[48], found[49], found[50]};  // the first pixel of row 1
  };
  const auto expected = [&](std::size_t r, std::size_t g, std::size_t b) {
    const auto value = [&](std::size_t i) { return static_cast<float>(bytes(1, 3 + i)) / 255.0F; };
    return std::array{value(r), value(g), value(b)};
  };
  CHECK(first(rvm::PixelFormat::kRgb) == expected(0, 1, 2));
  CHECK(first(rvm::PixelFormat::kBgr) == expected(2, 1, 0));
  CHECK(first(rvm::PixelFormat::kRgba) == expected(0, 1, 2));
  CHECK(first(rvm::PixelFormat::kBgra) == expected(2, 1, 0));
  CHECK(first(rvm::PixelFormat::kGrey) == expected(0, 0, 0));
  const auto floats = random.numbers({16, 16, 3});
  const auto found = patch(rvm::FrameView(floats.data(), 16, 16), 0, 0);
  CHECK(std::equal(found.begin(), found.end(), floats.begin()));
}

TEST_CASE("patches put back make the frame that they were cut from") {
  const auto pixels = test::Random(3).numbers({32, 48, 3});
  rvm::Tensor<float> back({32, 48, 3});
  for (std::size_t p = 0; p < 6; ++p) {
    rvm::insert_patch(patch(rvm::FrameView(pixels.data(), 32, 48), p / 3, p % 3).data(), p / 3, p % 3, back);
  }
  CHECK(std::equal(back.begin(), back.end(), pixels.begin()));
}
