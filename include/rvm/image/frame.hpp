#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {

/// How the channels of a pixel lie in memory. kRgbFloat is three floats in [0, 1]; the others are bytes in [0, 255].
/// Alpha is ignored; grey stands for three equal channels.
enum class PixelFormat : std::uint8_t { kRgb, kBgr, kRgba, kBgra, kGrey, kRgbFloat };

/// Bytes of one pixel.
constexpr std::size_t bytes_per_pixel(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::kRgb:
    case PixelFormat::kBgr: return 3;
    case PixelFormat::kRgba:
    case PixelFormat::kBgra: return 4;
    case PixelFormat::kGrey: return 1;
    case PixelFormat::kRgbFloat: return 3 * sizeof(float);
  }
  return 0;
}

/// A non-owning view of one image: the pixel at row y, column x starts at data + y * row_stride + x * bytes_per_pixel.
/// A negative stride is an image stored bottom up, with data at its top row. The memory must outlive the view.
class FrameView {
 public:
  FrameView() = default;
  /// Bytes in one of the 8-bit formats. `row_stride` in bytes; 0 means rows without padding.
  /// Throws FrameError on a null pointer, an empty image, a stride shorter than a row, or format kRgbFloat.
  FrameView(const std::uint8_t* data, std::size_t height, std::size_t width, PixelFormat format = PixelFormat::kRgb,
            std::ptrdiff_t row_stride = 0)
      : FrameView(static_cast<const void*>(data), height, width, format, row_stride) {
    if (format == PixelFormat::kRgbFloat) throw FrameError("a frame of bytes cannot have the format kRgbFloat");
  }
  /// Floats RGB in [0, 1]. `row_stride` in bytes, a multiple of sizeof(float). Throws FrameError as above.
  FrameView(const float* data, std::size_t height, std::size_t width, std::ptrdiff_t row_stride = 0)
      : FrameView(static_cast<const void*>(data), height, width, PixelFormat::kRgbFloat, row_stride) {
    if (row_stride_ % static_cast<std::ptrdiff_t>(sizeof(float)) != 0) {
      throw FrameError("the row stride of a float frame must be a multiple of 4 bytes, found " +
                       std::to_string(row_stride));
    }
  }

  std::size_t height() const noexcept { return height_; }
  std::size_t width() const noexcept { return width_; }
  PixelFormat format() const noexcept { return format_; }
  std::ptrdiff_t row_stride() const noexcept { return row_stride_; }
  bool empty() const noexcept { return data_ == nullptr; }

  /// First byte of row y.
  const std::uint8_t* row(std::size_t y) const noexcept {
    return static_cast<const std::uint8_t*>(data_) + static_cast<std::ptrdiff_t>(y) * row_stride_;
  }
  /// First float of row y; for kRgbFloat only.
  const float* float_row(std::size_t y) const noexcept {
    return static_cast<const float*>(data_) +
           static_cast<std::ptrdiff_t>(y) * (row_stride_ / static_cast<std::ptrdiff_t>(sizeof(float)));
  }

 private:
  FrameView(const void* data, std::size_t height, std::size_t width, PixelFormat format, std::ptrdiff_t row_stride)
      : data_(data), height_(height), width_(width), row_stride_(row_stride), format_(format) {
    if (data == nullptr) throw FrameError("a frame's pixels are a null pointer");
    if (height == 0 || width == 0) {
      throw FrameError("a frame has no pixels: " + std::to_string(height) + "x" + std::to_string(width));
    }
    const auto row_bytes = static_cast<std::ptrdiff_t>(width * bytes_per_pixel(format));
    if (row_stride_ == 0) row_stride_ = row_bytes;
    if (row_stride_ < row_bytes && row_stride_ > -row_bytes) {
      throw FrameError("a frame's row stride of " + std::to_string(row_stride) + " bytes is shorter than its rows of " +
                       std::to_string(row_bytes));
    }
  }

  const void* data_ = nullptr;
  std::size_t height_ = 0;
  std::size_t width_ = 0;
  std::ptrdiff_t row_stride_ = 0;
  PixelFormat format_ = PixelFormat::kRgb;
};

}  // namespace rvm
