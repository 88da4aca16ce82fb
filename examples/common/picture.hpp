#pragma once

#include <filesystem>
#include <string>

#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>

namespace rvm::examples {

/// Makes `out` a copy of the picture in RGB bytes; floats are rounded and clipped. Throws rvm::FrameError on an empty
/// picture.
void to_bytes(const FrameView& picture, Image& out);

/// Writes a PNG; floats are rounded to bytes and clipped. The file is complete or absent: it is written under a
/// temporary name beside it. Throws rvm::IoError with the reason.
void save_png(const std::filesystem::path& path, const FrameView& picture);

/// The bytes of a PNG, or of a JPEG of a quality from 1 to 100. Throw rvm::FrameError if there are no pixels.
std::string to_png(const FrameView& picture);
std::string to_jpeg(const FrameView& picture, int quality);

}  // namespace rvm::examples
