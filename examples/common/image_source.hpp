#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <rvm/image/image.hpp>

#include "common/frame_source.hpp"

namespace rvm::examples {

/// Whether the name ends as one of an image that load_image can read: jpg jpeg png bmp ppm pgm, in either case.
bool is_image(const std::filesystem::path& path);

/// The picture in a file, as RGB bytes: 16 bits are cut to 8, alpha is dropped, EXIF rotation is ignored. Throws
/// rvm::IoError with the reason if it is damaged so that it can be noticed, cut off at any byte, or claims more pixels
/// than picture_limits.hpp allows.
Image load_image(const std::filesystem::path& path);
/// The same of a file's contents in memory, which `name` stands for in messages.
Image decode_image(std::span<const std::byte> file, const std::string& name);

/// The images in a directory in natural order; other files in it, and hidden ones, are ignored. Throws rvm::IoError if
/// there are none.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& directory);

/// One image, or those in a directory in natural order; other files in it are ignored. Throws rvm::IoError if there are
/// none.
std::unique_ptr<FrameSource> open_images(const std::filesystem::path& path);

}  // namespace rvm::examples
