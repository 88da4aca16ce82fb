#pragma once

#include <filesystem>
#include <memory>

#include "common/frame_source.hpp"

namespace rvm::examples {

/// The frames of a uint8 array [T, H, W, 3] in a .npy file. Throws rvm::Error if it is not one.
std::unique_ptr<FrameSource> open_npy_video(const std::filesystem::path& path);

}  // namespace rvm::examples
