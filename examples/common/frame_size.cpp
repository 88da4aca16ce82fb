#include "common/frame_size.hpp"

#include <cstdio>

#include <rvm/image/patches.hpp>

namespace rvm::examples {

std::string to_string(const FrameSize& size) {
  return std::to_string(size.height) + "x" + std::to_string(size.width);
}

std::optional<FrameSize> parse_frame_size(const std::string& text) {
  FrameSize size;
  char rest = 0;
  if (text.find_first_not_of("0123456789x") != std::string::npos ||
      std::sscanf(text.c_str(), "%5zux%5zu%c", &size.height, &size.width, &rest) != 2) {
    return std::nullopt;
  }
  const auto bad = [](std::size_t side) { return side == 0 || side % kPatchSize != 0; };
  if (bad(size.height) || bad(size.width)) return std::nullopt;
  return size;
}

}  // namespace rvm::examples
