#pragma once

#include <filesystem>

#include <rvm/image/frame.hpp>

namespace rvm::examples {

/// Writes a PNG; floats are rounded to bytes and clipped. The file is complete or absent: it is written under a
/// temporary name beside it. Throws rvm::IoError with the reason.
void save_png(const std::filesystem::path& path, const FrameView& picture);

}  // namespace rvm::examples
