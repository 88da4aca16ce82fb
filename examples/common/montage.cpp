#include "common/montage.hpp"

#include <algorithm>
#include <cstdint>

#include <rvm/core/error.hpp>

#include "common/picture.hpp"

namespace rvm::examples {
namespace {

/// Copies `part` to where its top left corner is at (top, left) of `sheet`.
void paste(const Image& part, std::size_t top, std::size_t left, Image& sheet) {
  for (std::size_t y = 0; y < part.height(); ++y) {
    const auto row = part.bytes()[y];
    std::copy(row.begin(), row.end(), &sheet.bytes()(top + y, left, 0));
  }
}

Image white(std::size_t height, std::size_t width) {
  Image image(height, width);
  std::fill(image.bytes().begin(), image.bytes().end(), std::uint8_t{255});
  return image;
}

void require_pictures(std::span<const Image> pictures) {
  if (pictures.empty()) throw FrameError("a montage needs pictures");
}

}  // namespace

Image side_by_side(std::span<const Image> pictures) {
  require_pictures(pictures);
  std::size_t height = 0;
  std::size_t width = 0;
  for (const Image& picture : pictures) {
    height = std::max(height, picture.height());
    width += picture.width() + kMontageGap;
  }
  Image sheet = white(height, width - kMontageGap);
  std::size_t left = 0;
  for (const Image& picture : pictures) {
    paste(picture, 0, left, sheet);
    left += picture.width() + kMontageGap;
  }
  return sheet;
}

Image one_below_the_other(std::span<const Image> pictures) {
  require_pictures(pictures);
  std::size_t height = 0;
  std::size_t width = 0;
  for (const Image& picture : pictures) {
    height += picture.height() + kMontageGap;
    width = std::max(width, picture.width());
  }
  Image sheet = white(height - kMontageGap, width);
  std::size_t top = 0;
  for (const Image& picture : pictures) {
    paste(picture, top, 0, sheet);
    top += picture.height() + kMontageGap;
  }
  return sheet;
}

Image enlarge(const FrameView& small, std::size_t factor) {
  Image bytes;
  to_bytes(small, bytes);
  Image out(small.height() * factor, small.width() * factor);
  for (std::size_t y = 0; y < out.height(); ++y) {
    for (std::size_t x = 0; x < out.width(); ++x) {
      std::copy_n(&bytes.bytes()(y / factor, x / factor, 0), 3, &out.bytes()(y, x, 0));
    }
  }
  return out;
}

}  // namespace rvm::examples
