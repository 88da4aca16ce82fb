#include <rvm/core/error.hpp>

#include "common/jpeg.hpp"

namespace rvm::examples {

bool is_jpeg(std::span<const std::byte> file) noexcept {
  return file.size() >= 2 && file[0] == std::byte{0xff} && file[1] == std::byte{0xd8};
}

Image decode_jpeg(std::span<const std::byte> /*file*/, const std::string& name) {
  throw IoError(name +
                ": this program was built without libturbojpeg, so it cannot read JPEG; install "
                "libturbojpeg0-dev and rebuild");
}

}  // namespace rvm::examples
