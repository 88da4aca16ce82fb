#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include <rvm/image/label_image.hpp>

#include "common/frame_size.hpp"

namespace rvm::examples {

/// Reads a PNG of labels, as DAVIS and VIP have them: of a palette image (1, 2, 4 or 8 bits) the indices, of an 8-bit
/// grey image the values; colours and transparency mean nothing. Throws rvm::IoError if the file cannot be read, is
/// damaged or holds another kind of picture, or saying that the program was built without libpng.
LabelImage read_label_png(const std::filesystem::path& path);
/// The same of a file's contents in memory, which `name` stands for in messages.
LabelImage decode_label_png(std::span<const std::byte> file, const std::string& name);
/// The same of a mask that belongs to a frame of that size. Throws rvm::IoError too if it has another.
LabelImage read_label_png(const std::filesystem::path& path, const FrameSize& size);

/// Writes an 8-bit palette PNG whose indices are the labels [H, W] and whose colours are label_colour's. The file is
/// complete or absent. Throws rvm::ArgumentError if there are no pixels, and rvm::IoError as read_label_png.
void save_label_png(const std::filesystem::path& path, const LabelImage& labels);

}  // namespace rvm::examples
