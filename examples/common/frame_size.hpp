#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace rvm::examples {

/// Height and width of a frame in pixels.
struct FrameSize {
  std::size_t height = 0;
  std::size_t width = 0;
  friend bool operator==(const FrameSize&, const FrameSize&) = default;
};

/// "256x320".
std::string to_string(const FrameSize& size);

/// Reads "HxW", both multiples of 16, at most 99999. Nothing if it is not that.
std::optional<FrameSize> parse_frame_size(const std::string& text);

}  // namespace rvm::examples
