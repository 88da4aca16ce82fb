#pragma once

#include <cstddef>
#include <string>

#include <rvm/core/error.hpp>

namespace rvm::examples {

/// The most pixels that a picture may claim; one that claims more is damaged.
inline constexpr std::size_t kMostPixels = std::size_t{1} << 27;
/// The most of them for a byte of its file: deflate makes 1032 bytes of one, and a byte holds 8 pixels at most.
inline constexpr std::size_t kMostPixelsOfByte = std::size_t{8} * 1032;

/// Throws rvm::IoError if a picture of `bytes` bytes claims more pixels, before memory is taken for them.
inline void require_possible(std::size_t height, std::size_t width, std::size_t bytes, const std::string& name) {
  // No side has more than 32 bits, so that the product fits.
  if (height * width <= kMostPixels && height * width / kMostPixelsOfByte <= bytes) return;
  throw IoError(name + ": claims " + std::to_string(height) + "x" + std::to_string(width) +
                " pixels, more than such a file can hold");
}

}  // namespace rvm::examples
