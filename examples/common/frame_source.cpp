#include "common/frame_source.hpp"

#include <rvm/core/error.hpp>

#include "common/image_source.hpp"
#include "common/npy_source.hpp"
#include "common/video_source.hpp"

namespace rvm::examples {

std::unique_ptr<FrameSource> open_source(const std::filesystem::path& path) {
  std::error_code reason;
  const std::filesystem::file_status status = std::filesystem::status(path, reason);
  if (!std::filesystem::exists(status)) {
    throw IoError(path.string() + ": " + (reason ? reason.message() : "no such file or directory"));
  }
  if (std::filesystem::is_directory(status) || is_image(path)) return open_images(path);
  if (path.extension() == ".npy") return open_npy_video(path);
  return open_video(path);
}

}  // namespace rvm::examples
