#include <cstddef>
#include <cstdint>
#include <span>

#include <rvm/core/error.hpp>

#include <turbojpeg.h>

#include "common/image_source.hpp"
#include "common/jpeg.hpp"
#include "common/stb.hpp"
#include "fuzz.hpp"
#include "png_mutator.hpp"

namespace {

std::int64_t claimed_pixels(const std::uint8_t* data, std::size_t size) {
  int width = 0;
  int height = 0;
  if (rvm::examples::is_jpeg(std::as_bytes(std::span(data, size)))) {
    int subsampling = 0;
    int colours = 0;
    static const tjhandle decoder = tjInitDecompress();
    tjDecompressHeader3(decoder, data, size, &width, &height, &subsampling, &colours);
  } else {
    stbi_info_from_memory(data, static_cast<int>(size), &width, &height, nullptr);
  }
  return std::int64_t{width} * height;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::Chance chance(seed);
  return fuzz::mutate_png(data, size, max_size, chance);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Large pictures fail no other way; they are only slow.
  constexpr std::int64_t kMostPixels = 1 << 14;
  if (claimed_pixels(data, size) > kMostPixels) return 0;
  try {
    const rvm::Image image = rvm::examples::decode_image(fuzz::bytes_of(data, size), fuzz::kName);
    fuzz::require(image.bytes().size() == 3 * image.height() * image.width() && !image.empty());
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  return 0;
}
