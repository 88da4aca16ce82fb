#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <rvm/features.hpp>
#include <rvm/image/frame.hpp>

#include "common/program.hpp"

namespace rvm::examples {

/// A stream of one video over the model that was chosen at run time, for programs that want features whatever computes
/// them.
class AnyStream {
 public:
  /// Throws as rvm::Stream does.
  AnyStream(const AnyModel& model, const FrameSize& size);
  AnyStream(const AnyStream&) = delete;
  AnyStream& operator=(const AnyStream&) = delete;
  ~AnyStream();

  /// The next frame -> its features, valid until the next call. Throws FrameError if the frame has another size.
  Features step(const FrameView& frame);
  /// The features of the frame before, zero at first.
  Features features();
  /// The next frame is the first of another video.
  void reset();

  /// The state as bytes.
  std::vector<std::byte> save() const;
  /// Takes them back. Throws StateError.
  void restore(std::span<const std::byte> state);

  /// Of frames, in pixels.
  const FrameSize& size() const noexcept { return size_; }
  /// N, h, w and D: features are [N, D], tokens [h, w, D].
  std::size_t token_count() const noexcept { return 1 + grid_height() * grid_width(); }
  std::size_t grid_height() const noexcept;
  std::size_t grid_width() const noexcept;
  std::size_t token_width() const noexcept;
  /// Frames seen since the last reset.
  std::uint64_t frames() const;

 private:
  struct Chosen;
  FrameSize size_;
  std::unique_ptr<Chosen> chosen_;
};

}  // namespace rvm::examples
