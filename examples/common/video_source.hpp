#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/frame_source.hpp"

namespace rvm::examples {

/// The frames of a video file's best video stream, decoded as they are asked for with FFmpeg's libraries and turned to
/// RGB at full chroma resolution, rounded rather than cut. Every frame as coded: none is dropped or repeated for the
/// sake of time stamps, and rotation metadata is ignored. Damaged packets are left out and counted in warning(). Throws
/// rvm::IoError with FFmpeg's reason, or one saying that the program was built without FFmpeg.
std::unique_ptr<FrameSource> open_video(const std::filesystem::path& path);

/// The frames of a camera (V4L2: /dev/video0), as it gives them; without end. Throws rvm::IoError with FFmpeg's reason,
/// or one saying that the program was built without libavdevice.
std::unique_ptr<FrameSource> open_camera(const std::filesystem::path& device);

/// The frames of any of libavdevice's inputs, such as "lavfi", which draws test pictures.
std::unique_ptr<FrameSource> open_device(const std::string& format, const std::string& name);

}  // namespace rvm::examples
