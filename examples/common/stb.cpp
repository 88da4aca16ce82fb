#include <cstddef>
#include <cstdlib>

#include "common/picture_limits.hpp"

// Only what is_image() names: every other decoder is one more that a damaged file can reach. JPEGs are libturbojpeg's:
// damaged ones make stb_image 2.27 write beyond its tables. PPM and PGM are netpbm.cpp's, for the same reason.
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP

namespace {

// A chunk of a PNG may claim 2 GiB, whatever its file holds: no more than the largest picture takes.
constexpr std::size_t kMostMemory = 4 * rvm::examples::kMostPixels + (std::size_t{1} << 20);

// What the decoder leaves out is black, not what memory held before.
void* take(std::size_t size) {
  return size <= kMostMemory ? std::calloc(1, size) : nullptr;
}
void* take_more(void* memory, std::size_t size) {
  return size <= kMostMemory ? std::realloc(memory, size) : nullptr;
}

}  // namespace

#define STBI_MALLOC(size) take(size)
#define STBI_REALLOC(memory, size) take_more(memory, size)
#define STBI_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "common/stb.hpp"
