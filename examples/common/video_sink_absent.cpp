#include <rvm/core/error.hpp>

#include "common/video_sink.hpp"

namespace rvm::examples {

std::unique_ptr<PictureSink> open_video_sink(const std::filesystem::path& path, double /*fps*/) {
  throw IoError(path.string() +
                ": this program was built without FFmpeg, so it cannot write videos; install libavformat-dev "
                "libavcodec-dev libavfilter-dev libavutil-dev libswscale-dev and rebuild (a directory of PNGs and a "
                "contact sheet .png work without)");
}

}  // namespace rvm::examples
