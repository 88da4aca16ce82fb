#pragma once

#include <filesystem>
#include <memory>

#include "common/picture_sink.hpp"

namespace rvm::examples {

/// A video written with FFmpeg's libraries: .mp4 or .gif as the name ends.
///
/// .mp4 is H.264 in YUV 4:2:0, or MPEG-4 Part 2 where this FFmpeg has no encoder for H.264; an odd side gets one more
/// pixel, a copy of the last. .gif has a palette of 256 colours for each picture, repeats for ever and shows at most
/// fifty pictures a second: of those that come faster some are left out.
///
/// The file is complete or absent. Throws rvm::IoError with FFmpeg's reason, or one saying that the program was built
/// without FFmpeg.
std::unique_ptr<PictureSink> open_video_sink(const std::filesystem::path& path, double fps);

}  // namespace rvm::examples
