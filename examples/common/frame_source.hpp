#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <rvm/image/frame.hpp>

namespace rvm::examples {

/// Frames of one size, one after the other, read as they are asked for.
class FrameSource {
 public:
  FrameSource() = default;
  FrameSource(const FrameSource&) = delete;
  FrameSource& operator=(const FrameSource&) = delete;
  virtual ~FrameSource() = default;

  /// The next frame, valid until the next call; nothing after the last. Throws rvm::IoError if it cannot be read or has
  /// not the size of the first.
  virtual std::optional<FrameView> next() = 0;

  /// Number of frames; of a video what its container claims, which is an estimate. Nothing if unknown.
  virtual std::optional<std::size_t> count() const = 0;

  /// Frames per second; nothing if the source has no clock.
  virtual std::optional<double> fps() const { return std::nullopt; }

  /// What is wrong with the frames read so far, in a line for the user: damaged parts that were left out. Empty if
  /// nothing is.
  virtual std::string warning() const { return {}; }
};

/// Opens what `path` is: a directory of images (in natural order: img2 before img10), one image, a uint8 .npy
/// [T, H, W, 3], else a video. Throws rvm::IoError with the reason.
std::unique_ptr<FrameSource> open_source(const std::filesystem::path& path);

}  // namespace rvm::examples
