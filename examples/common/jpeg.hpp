#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <rvm/image/image.hpp>

namespace rvm::examples {

/// Whether a file's contents begin as a JPEG's.
bool is_jpeg(std::span<const std::byte> file) noexcept;

/// The picture in a JPEG file's contents, which `name` stands for in messages, as RGB bytes. Throws rvm::IoError if it
/// is damaged or claims more pixels than decode_image takes, or saying that the program was built without libturbojpeg.
Image decode_jpeg(std::span<const std::byte> file, const std::string& name);

}  // namespace rvm::examples
