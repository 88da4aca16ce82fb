#include <rvm/core/error.hpp>

#include "common/video_source.hpp"

namespace rvm::examples {

std::unique_ptr<FrameSource> open_video(const std::filesystem::path& path) {
  throw IoError(
      path.string() +
      ": this program was built without FFmpeg, so it cannot read videos; install libavformat-dev "
      "libavcodec-dev libavfilter-dev libavutil-dev libswscale-dev and rebuild (directories of images work without)");
}

std::unique_ptr<FrameSource> open_camera(const std::filesystem::path& device) {
  return open_device("v4l2", device.string());
}

std::unique_ptr<FrameSource> open_device(const std::string& /*format*/, const std::string& name) {
  throw IoError(name +
                ": this program was built without FFmpeg, so it cannot read cameras; install libavdevice-dev and "
                "rebuild");
}

}  // namespace rvm::examples
