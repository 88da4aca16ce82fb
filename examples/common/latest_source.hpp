#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <rvm/image/image.hpp>

#include "common/frame_source.hpp"

namespace rvm::examples {

/// A source with a clock of its own, such as a camera, read in a thread of its own: next() gives the newest frame, and
/// those that have come and gone since are dropped, so that whoever is slower than the source is never late.
class LatestSource final : public FrameSource {
 public:
  explicit LatestSource(std::unique_ptr<FrameSource> source);
  /// Does not wait long for a source that gives nothing.
  ~LatestSource() override;

  /// Whether next() would return, or throw, at once.
  bool ready() const;

  /// Waits for a frame that next() has not given yet; nothing after the last. Throws what the source has thrown.
  std::optional<FrameView> next() override;
  std::optional<std::size_t> count() const override { return std::nullopt; }
  std::optional<double> fps() const override { return fps_; }
  /// The source's, when it has ended.
  std::string warning() const override;

 private:
  // What both threads use; the reading one may outlive this object, if the source does not return.
  struct Shared {
    mutable std::mutex mutex;
    std::condition_variable changed;
    Image newest;
    bool fresh = false;    // newest has not been given yet
    bool stopped = false;  // by this object
    bool ended = false;    // the reading thread is done
    std::exception_ptr error;
    std::string warning;
  };

  static void read(const std::shared_ptr<Shared>& shared, FrameSource& source);

  std::optional<double> fps_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Image given_;
};

}  // namespace rvm::examples
