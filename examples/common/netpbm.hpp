#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <rvm/image/image.hpp>

namespace rvm::examples {

/// Whether a file's contents begin as a binary PPM's or PGM's.
bool is_netpbm(std::span<const std::byte> file) noexcept;

/// The picture in a binary PPM or PGM file's contents, which `name` stands for in messages, as RGB bytes. Throws
/// rvm::IoError if its header is damaged, its samples are not of 255 levels, or it is cut off.
Image decode_netpbm(std::span<const std::byte> file, const std::string& name);

}  // namespace rvm::examples
