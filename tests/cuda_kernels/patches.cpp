// Frames to patches on the GPU, the code executed here, against the CPU's: equal to the last bit.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <rvm/backend/cuda/operations.hpp>
#include <rvm/image/patches.hpp>

#include "support/catch.hpp"
#include "support/cuda_kernels.hpp"
#include "support/random.hpp"

namespace cuda = rvm::detail::cuda;
using rvm::PixelFormat;
using test::Strided;

TEMPLATE_TEST_CASE("patches of frames, each behind a row for its class token", "", float, rvm::bfloat16, rvm::float16) {
  test::Random random(1);
  const PixelFormat format = GENERATE(PixelFormat::kRgb, PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kBgra,
                                      PixelFormat::kGrey, PixelFormat::kRgbFloat);
  const bool bottom_up = GENERATE(false, true);
  const bool aligned = GENERATE(false, true);
  CAPTURE(static_cast<int>(format), bottom_up, aligned);
  const std::size_t height = 48;
  const std::size_t width = 32;
  const std::size_t pitch = width * rvm::bytes_per_pixel(format) + (format == PixelFormat::kRgbFloat ? 8 : 5);
  std::vector<rvm::Tensor<std::uint8_t>> memory;
  std::vector<rvm::FrameView> frames;
  std::vector<cuda::DeviceFrame> device_frames;
  for (int f = 0; f < 2; ++f) {
    memory.push_back(random.bytes({height * pitch}));
    std::uint8_t* const bytes = memory.back().data();
    if (format == PixelFormat::kRgbFloat) {
      for (std::size_t i = 0; i < height * pitch; i += sizeof(float)) {
        const float number = random.number();
        std::memcpy(bytes + i, &number, sizeof(float));
      }
    }
    const auto stride = static_cast<std::ptrdiff_t>(pitch) * (bottom_up ? -1 : 1);
    const std::uint8_t* const top = bytes + (bottom_up ? (height - 1) * pitch : 0);
    if (format == PixelFormat::kRgbFloat) {
      frames.emplace_back(reinterpret_cast<const float*>(top), height, width, stride);
    } else {
      frames.emplace_back(top, height, width, format, stride);
    }
    device_frames.push_back({top, stride, format});
  }
  Strided<TestType> out(random, 2 * 7, rvm::kPatchValues, aligned);
  test::launch_in_every_order(
      [&] { return cuda::patches<TestType>(nullptr, device_frames.data(), 2, height, width, out.view); }, out);
  for (std::size_t f = 0; f < 2; ++f) {
    for (std::size_t p = 0; p < 7; ++p) {
      std::vector<float> expected(rvm::kPatchValues);
      if (p > 0) rvm::extract_patch(frames[f], (p - 1) / 2, (p - 1) % 2, expected.data());
      const TestType* const found = out.view.row(7 * f + p);
      for (std::size_t i = 0; i < rvm::kPatchValues; ++i) REQUIRE(found[i] == TestType(expected[i]));
    }
  }
}

TEST_CASE("frames of one launch may differ in format") {
  test::Random random(2);
  const auto rgb = random.bytes({16, 16, 3});
  const auto grey = random.bytes({16, 16});
  const std::vector<cuda::DeviceFrame> frames{{rgb.data(), 48, PixelFormat::kRgb},
                                              {grey.data(), 16, PixelFormat::kGrey}};
  Strided<float> out(random, 4, rvm::kPatchValues, true);
  REQUIRE(cuda::patches<float>(nullptr, frames.data(), 2, 16, 16, out.view) == 0);
  for (std::size_t i = 0; i < rvm::kPatchValues; ++i) {
    REQUIRE(out.view.row(1)[i] == static_cast<float>(rgb.data()[i]) / 255.0F);
    REQUIRE(out.view.row(3)[i] == static_cast<float>(grey.data()[i / 3]) / 255.0F);
  }
}
