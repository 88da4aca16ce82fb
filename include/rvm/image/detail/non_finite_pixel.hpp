#pragma once

#include <cstddef>
#include <string>

#include <rvm/core/detail/finite.hpp>
#include <rvm/image/frame.hpp>

namespace rvm::detail {

/// For a message: where a frame of floats holds a NaN or an infinity; empty if it holds none.
inline std::string non_finite_pixel(const FrameView& frame) {
  if (frame.format() != PixelFormat::kRgbFloat) return "";
  for (std::size_t y = 0; y < frame.height(); ++y) {
    for (std::size_t i = 0; i < 3 * frame.width(); ++i) {
      if (is_finite(frame.float_row(y)[i])) continue;
      return "row " + std::to_string(y) + ", column " + std::to_string(i / 3) + ", channel " + std::to_string(i % 3);
    }
  }
  return "";
}

}  // namespace rvm::detail
