#include "common/label_png.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>
#include <rvm/visualize/palette.hpp>

#include <png.h>

#include "common/picture_limits.hpp"

namespace rvm::examples {
namespace {

constexpr std::size_t kLabels = 256;

/// libpng's picture; frees what it holds.
struct Png {
  Png() { image.version = PNG_IMAGE_VERSION; }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
  ~Png() { png_image_free(&image); }

  png_image image{};
};

/// "8-bit RGB". The header of a PNG has its bits a channel at byte 24 and its kind of pixels at byte 25.
std::string kind_of(std::span<const std::byte> png) {
  const auto kind = [&]() -> std::string {
    switch (std::to_integer<int>(png[25])) {
      case PNG_COLOR_TYPE_GRAY: return "grey";
      case PNG_COLOR_TYPE_PALETTE: return "palette";
      case PNG_COLOR_TYPE_RGB: return "RGB";
      case PNG_COLOR_TYPE_GRAY_ALPHA: return "grey with alpha";
      default: return "RGB with alpha";
    }
  };
  return std::to_string(std::to_integer<int>(png[24])) + "-bit " + kind();
}

}  // namespace

LabelImage read_label_png(const std::filesystem::path& path) {
  const MappedFile file(path);
  return decode_label_png(file.bytes(), path.string());
}

LabelImage decode_label_png(std::span<const std::byte> file, const std::string& name) {
  Png png;
  const auto damaged = [&] { throw IoError(name + ": cannot be read as a PNG: " + png.image.message); };
  if (png_image_begin_read_from_memory(&png.image, file.data(), file.size()) == 0) damaged();
  const std::string kind = kind_of(file);
  if (!kind.ends_with("palette") && kind != "8-bit grey") {
    throw IoError(name + ": expected a PNG of labels, palette or 8-bit grey, found " + kind);
  }
  const std::size_t height = png.image.height;
  const std::size_t width = png.image.width;
  require_possible(height, width, file.size(), name);
  // Asked for a colour map, libpng gives the indices as they are; a grey image is one whose indices are its values.
  png.image.format = PNG_FORMAT_RGBA_COLORMAP;
  LabelImage labels({height, width});
  std::array<std::uint8_t, 4 * kLabels> colours{};
  if (png_image_finish_read(&png.image, nullptr, labels.data(), static_cast<png_int_32>(width), colours.data()) == 0) {
    damaged();
  }
  return labels;
}

LabelImage read_label_png(const std::filesystem::path& path, const FrameSize& size) {
  LabelImage labels = read_label_png(path);
  const FrameSize found{labels.shape()[0], labels.shape()[1]};
  if (found != size) {
    throw IoError(path.string() + ": the mask is " + to_string(found) + ", while the frame is " + to_string(size));
  }
  return labels;
}

void save_label_png(const std::filesystem::path& path, const LabelImage& labels) {
  if (labels.shape().rank() != 2 || labels.empty()) {
    throw ArgumentError(path.string() + ": expected labels [H, W], found " + to_string(labels.shape()));
  }
  std::array<std::uint8_t, 3 * kLabels> colours{};
  for (std::size_t label = 0; label < kLabels; ++label) {
    const auto colour = label_colour(static_cast<std::uint8_t>(label));
    for (std::size_t c = 0; c < 3; ++c) colours[3 * label + c] = colour[c];
  }
  Png png;
  png.image.height = static_cast<png_uint_32>(labels.shape()[0]);
  png.image.width = static_cast<png_uint_32>(labels.shape()[1]);
  png.image.format = PNG_FORMAT_RGB_COLORMAP;
  png.image.colormap_entries = kLabels;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png.image);
  std::vector<std::byte> bytes(size);
  const auto stride = static_cast<png_int_32>(png.image.width);
  if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, labels.data(), stride, colours.data()) == 0) {
    throw IoError(path.string() + ": cannot be written as a PNG: " + png.image.message);
  }
  AtomicFile file(path);
  file.write(std::span(bytes).first(size));
  file.commit();
}

}  // namespace rvm::examples
