#pragma once

#include <memory>

#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>

#include "common/program.hpp"

namespace rvm::examples {

/// A stream of the model that was chosen at run time, for programs that want dense features whatever computes them.
class AnyStream {
 public:
  /// Throws as rvm::Stream does.
  AnyStream(const AnyModel& model, const FrameSize& size);
  AnyStream(const AnyStream&) = delete;
  AnyStream& operator=(const AnyStream&) = delete;
  ~AnyStream();

  /// The next frame -> its features [h, w, D], valid until the next call. Throws FrameError if the frame has another
  /// size.
  TensorView<const float> step(const FrameView& frame);
  /// The next frame is the first of another video.
  void reset() noexcept;

 private:
  struct Chosen;
  std::unique_ptr<Chosen> chosen_;
};

}  // namespace rvm::examples
