#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>

namespace rvm {

/// An image that owns its pixels: RGB bytes in [0, 255] (kRgb) or RGB floats in [0, 1] (kRgbFloat), rows without
/// padding. Black at birth; copies are deep.
class Image {
 public:
  /// No pixels.
  Image() = default;
  /// Throws FrameError on an empty size or a format that is neither kRgb nor kRgbFloat.
  Image(std::size_t height, std::size_t width, PixelFormat format = PixelFormat::kRgb) {
    if (height == 0 || width == 0) {
      throw FrameError("an image needs pixels: " + std::to_string(height) + "x" + std::to_string(width));
    }
    switch (format) {
      case PixelFormat::kRgb: bytes_ = Tensor<std::uint8_t>({height, width, 3}); break;
      case PixelFormat::kRgbFloat: floats_ = Tensor<float>({height, width, 3}); break;
      default: throw FrameError("an image is kRgb or kRgbFloat");
    }
  }

  bool empty() const noexcept { return shape().rank() == 1; }
  std::size_t height() const noexcept { return shape()[0]; }
  std::size_t width() const noexcept { return shape()[1]; }
  PixelFormat format() const noexcept { return floats_.empty() ? PixelFormat::kRgb : PixelFormat::kRgbFloat; }

  /// The pixels [height, width, 3] of a kRgb image; empty otherwise.
  TensorView<std::uint8_t> bytes() noexcept { return bytes_.view(); }
  TensorView<const std::uint8_t> bytes() const noexcept { return bytes_.view(); }
  /// The pixels [height, width, 3] of a kRgbFloat image; empty otherwise.
  TensorView<float> floats() noexcept { return floats_.view(); }
  TensorView<const float> floats() const noexcept { return floats_.view(); }

  /// The pixels as a frame, valid until the image changes; an empty one if there are none.
  FrameView view() const {
    if (empty()) return {};
    if (format() == PixelFormat::kRgb) return {bytes_.data(), height(), width()};
    return {floats_.data(), height(), width()};
  }
  /// The same: not for an image that is about to vanish, as in `FrameView frame = resize(...)`.
  operator FrameView() const { return view(); }

  /// Becomes an image of this size and format. Keeps memory and pixels if it is one already, else starts black.
  void reset(std::size_t height, std::size_t width, PixelFormat format = PixelFormat::kRgb) {
    if (empty() || height != this->height() || width != this->width() || format != this->format()) {
      *this = Image(height, width, format);
    }
  }

 private:
  // An image has either bytes or floats; a tensor without elements has rank 1.
  const Shape& shape() const noexcept { return floats_.empty() ? bytes_.shape() : floats_.shape(); }

  Tensor<std::uint8_t> bytes_;
  Tensor<float> floats_;
};

namespace detail {

template <std::size_t kStep, std::size_t kRed, std::size_t kGreen, std::size_t kBlue>
void pick_channels(const std::uint8_t* in, std::size_t width, std::uint8_t* out) {
  for (std::size_t x = 0; x < width; ++x, in += kStep, out += 3) {
    out[0] = in[kRed];
    out[1] = in[kGreen];
    out[2] = in[kBlue];
  }
}

/// Writes row y of a frame in an 8-bit format as RGB.
inline void copy_rgb_row(const FrameView& frame, std::size_t y, std::uint8_t* out) {
  const std::uint8_t* in = frame.row(y);
  switch (frame.format()) {
    case PixelFormat::kRgb: std::copy_n(in, 3 * frame.width(), out); break;
    case PixelFormat::kBgr: pick_channels<3, 2, 1, 0>(in, frame.width(), out); break;
    case PixelFormat::kRgba: pick_channels<4, 0, 1, 2>(in, frame.width(), out); break;
    case PixelFormat::kBgra: pick_channels<4, 2, 1, 0>(in, frame.width(), out); break;
    case PixelFormat::kGrey: pick_channels<1, 0, 0, 0>(in, frame.width(), out); break;
    case PixelFormat::kRgbFloat: break;
  }
}

/// First element of row y of a frame of such elements.
template <class Element>
const Element* row_of(const FrameView& frame, std::size_t y) noexcept {
  if constexpr (std::is_same_v<Element, float>) {
    return frame.float_row(y);
  } else {
    return frame.row(y);
  }
}

/// The pixels of an image of such elements.
template <class Element>
TensorView<Element> pixels_of(Image& image) noexcept {
  if constexpr (std::is_same_v<Element, float>) {
    return image.floats();
  } else {
    return image.bytes();
  }
}

}  // namespace detail

/// Makes `out` a copy of the frame: kRgb of any 8-bit format, kRgbFloat of floats. `out` must not hold the frame's own
/// pixels. Allocates nothing if it has that size and format already. Throws FrameError on an empty frame.
inline void to_rgb(const FrameView& frame, Image& out) {
  const bool floats = frame.format() == PixelFormat::kRgbFloat;
  out.reset(frame.height(), frame.width(), floats ? PixelFormat::kRgbFloat : PixelFormat::kRgb);
  for (std::size_t y = 0; y < frame.height(); ++y) {
    if (floats) {
      std::copy_n(frame.float_row(y), 3 * frame.width(), out.floats()[y].data());
    } else {
      detail::copy_rgb_row(frame, y, out.bytes()[y].data());
    }
  }
}
inline Image to_rgb(const FrameView& frame) {
  Image out;
  to_rgb(frame, out);
  return out;
}

}  // namespace rvm
