#pragma once

#include <algorithm>
#include <cstddef>

#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>

namespace rvm {

/// Side of a patch in pixels, and the numbers in one patch (16 rows, 16 columns, 3 channels).
inline constexpr std::size_t kPatchSize = 16;
inline constexpr std::size_t kPatchValues = kPatchSize * kPatchSize * 3;

/// The side nearest to `side` that patches divide, at least one patch.
constexpr std::size_t nearest_whole_patches(std::size_t side) noexcept {
  return std::max(kPatchSize, (side + kPatchSize / 2) / kPatchSize * kPatchSize);
}

namespace detail {

// One row of a patch from bytes whose red, green and blue lie at the given places of each pixel.
inline void patch_row(const std::uint8_t* pixel, std::size_t pixel_bytes, std::size_t red, std::size_t green,
                      std::size_t blue, float* out) noexcept {
  for (std::size_t x = 0; x < kPatchSize; ++x, pixel += pixel_bytes, out += 3) {
    out[0] = static_cast<float>(pixel[red]) / 255.0F;
    out[1] = static_cast<float>(pixel[green]) / 255.0F;
    out[2] = static_cast<float>(pixel[blue]) / 255.0F;
  }
}

}  // namespace detail

/// Writes the patch at row `py`, column `px` of the frame's grid of patches into out[kPatchValues], in the order
/// (row, column, channel) and the range [0, 1]. The frame's sides are multiples of kPatchSize.
inline void extract_patch(const FrameView& frame, std::size_t py, std::size_t px, float* out) noexcept {
  for (std::size_t y = 0; y < kPatchSize; ++y, out += kPatchSize * 3) {
    const std::size_t frame_row = py * kPatchSize + y;
    if (frame.format() == PixelFormat::kRgbFloat) {
      const float* pixels = frame.float_row(frame_row) + px * kPatchSize * 3;
      for (std::size_t i = 0; i < kPatchSize * 3; ++i) out[i] = pixels[i];
      continue;
    }
    const std::size_t pixel_bytes = bytes_per_pixel(frame.format());
    const std::uint8_t* pixels = frame.row(frame_row) + px * kPatchSize * pixel_bytes;
    switch (frame.format()) {
      case PixelFormat::kBgr:
      case PixelFormat::kBgra: detail::patch_row(pixels, pixel_bytes, 2, 1, 0, out); break;
      case PixelFormat::kGrey: detail::patch_row(pixels, pixel_bytes, 0, 0, 0, out); break;
      default: detail::patch_row(pixels, pixel_bytes, 0, 1, 2, out); break;
    }
  }
}

/// The way back: writes a patch's kPatchValues numbers into `pixels` [H, W, 3], where extract_patch takes them from.
inline void insert_patch(const float* patch, std::size_t py, std::size_t px, TensorView<float> pixels) noexcept {
  for (std::size_t y = 0; y < kPatchSize; ++y, patch += kPatchSize * 3) {
    std::copy_n(patch, kPatchSize * 3, &pixels(py * kPatchSize + y, px * kPatchSize, 0));
  }
}

}  // namespace rvm
