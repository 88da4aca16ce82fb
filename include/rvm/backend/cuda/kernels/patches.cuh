#pragma once

#include <rvm/backend/cuda/kernels/device.cuh>
#include <rvm/image/patches.hpp>

/// Frames to patches.
///
/// Floor: bytes moved / memory's bandwidth; for a pixel its own bytes and 3 t written, t being the size of T.
namespace rvm::detail::cuda {

/// A row of `out` is a patch, (row, column, channel); before the patches of each frame there is a row of zeros.
template <class T>
struct PatchMap {
  const DeviceFrame* frames;
  std::size_t grid_rows;
  std::size_t grid_cols;
  Rows<T> out;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column) const {
    const std::size_t rows_of_frame = 1 + grid_rows * grid_cols;
    const std::size_t place = row % rows_of_frame;
    float values[kVector] = {};
    if (place > 0) read(frames[row / rows_of_frame], place - 1, column, values);
    store(values, out.row(row) + column);
  }

 private:
  template <int kVector>
  RVM_DEVICE void read(const DeviceFrame& frame, std::size_t patch, int column, float (&values)[kVector]) const {
    constexpr int kSide = static_cast<int>(kPatchSize);
    const std::size_t y = patch / grid_cols * kPatchSize + static_cast<std::size_t>(column / (3 * kSide));
    const std::size_t first_pixel = patch % grid_cols * kPatchSize;
    const int in_row = column % (3 * kSide);  // of the patch's row: 3 x + channel
    const auto* const pixels =
        static_cast<const std::uint8_t*>(frame.data) + static_cast<std::ptrdiff_t>(y) * frame.row_stride;
    if (frame.format == PixelFormat::kRgbFloat) {
      const auto* const numbers = reinterpret_cast<const float*>(pixels) + first_pixel * 3 + in_row;
      RVM_UNROLL
      for (int i = 0; i < kVector; ++i) values[i] = numbers[i];
      return;
    }
    const bool grey = frame.format == PixelFormat::kGrey;
    const bool four = frame.format == PixelFormat::kRgba || frame.format == PixelFormat::kBgra;
    const bool reversed = frame.format == PixelFormat::kBgr || frame.format == PixelFormat::kBgra;
    const int pixel_bytes = grey ? 1 : four ? 4 : 3;
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) {
      const int x = (in_row + i) / 3;
      const int channel = (in_row + i) % 3;
      const int byte = grey ? 0 : reversed ? 2 - channel : channel;
      const std::uint8_t* const pixel = pixels + (first_pixel + static_cast<std::size_t>(x)) * pixel_bytes;
      values[i] = static_cast<float>(pixel[byte]) / 255.0F;
    }
  }
};

}  // namespace rvm::detail::cuda
