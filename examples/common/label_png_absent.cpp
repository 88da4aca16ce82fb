#include <rvm/core/error.hpp>

#include "common/label_png.hpp"

namespace rvm::examples {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw IoError(path.string() + ": this program was built without libpng, so it cannot " + what +
                " masks; install libpng-dev and rebuild (points and boxes work without)");
}

}  // namespace

LabelImage read_label_png(const std::filesystem::path& path) {
  refuse(path, "read");
}

LabelImage decode_label_png(std::span<const std::byte> /*file*/, const std::string& name) {
  refuse(name, "read");
}

LabelImage read_label_png(const std::filesystem::path& path, const FrameSize& /*size*/) {
  refuse(path, "read");
}

void save_label_png(const std::filesystem::path& path, const LabelImage& /*labels*/) {
  refuse(path, "write");
}

}  // namespace rvm::examples
