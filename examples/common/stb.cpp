#include <cstdlib>

// Only what is_image() names: every other decoder is one more that a damaged file can reach. JPEGs are libturbojpeg's:
// damaged ones make stb_image 2.27 write beyond its tables. PPM and PGM are netpbm.cpp's, for the same reason.
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
// Of a BMP that is cut off the rest is black, not what memory held before.
#define STBI_MALLOC(size) std::calloc(1, size)
#define STBI_REALLOC(memory, size) std::realloc(memory, size)
#define STBI_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "common/stb.hpp"
