#pragma once

#include <cstdint>
#include <string_view>

#include <rvm/image/point.hpp>

namespace rvm::examples {

/// A click into the picture: where, in pixels, and the step of the frame that it belongs to.
struct Click {
  Point point;
  std::uint64_t step = 0;
};

/// Reads {"x": ..., "y": ..., "step": ...}. Throws rvm::ArgumentError if it is something else.
Click parse_click(std::string_view text);

}  // namespace rvm::examples
