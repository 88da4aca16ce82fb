#include "common/picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <span>
#include <string>

#include <rvm/core/atomic_file.hpp>
#include <rvm/image/image.hpp>

#include "common/stb.hpp"

namespace rvm::examples {
namespace {

std::string encode_png(const Image& image) {
  const auto append = [](void* png, void* data, int size) {
    static_cast<std::string*>(png)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  std::string png;
  const int width = static_cast<int>(image.width());
  if (stbi_write_png_to_func(append, &png, width, static_cast<int>(image.height()), 3, image.bytes().data(),
                             3 * width) == 0) {
    throw std::bad_alloc();
  }
  return png;
}

}  // namespace

void to_bytes(const FrameView& picture, Image& out) {
  if (picture.format() != PixelFormat::kRgbFloat) {
    to_rgb(picture, out);
    return;
  }
  out.reset(picture.height(), picture.width());
  for (std::size_t y = 0; y < picture.height(); ++y) {
    std::transform(picture.float_row(y), picture.float_row(y) + 3 * picture.width(), out.bytes()[y].begin(),
                   [](float value) {
                     const float clipped = value > 0 ? std::min(value, 1.0F) : 0.0F;  // 0 too if it is no number
                     return static_cast<std::uint8_t>(std::lround(clipped * 255.0F));
                   });
  }
}

void save_png(const std::filesystem::path& path, const FrameView& picture) {
  AtomicFile file(path);
  Image bytes;
  to_bytes(picture, bytes);
  const std::string png = encode_png(bytes);
  file.write(std::as_bytes(std::span(png)));
  file.commit();
}

}  // namespace rvm::examples
