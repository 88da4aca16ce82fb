#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <rvm/image/image.hpp>
#include <rvm/tracking/label_propagation.hpp>
#include <rvm/visualize/streaming_pca_colours.hpp>

#include "common/any_stream.hpp"
#include "common/live/moment.hpp"
#include "common/sized_source.hpp"

namespace rvm::examples {

/// A model that watches a video: its state, the colours of what it sees, and the points that it tracks. Used by one
/// thread at a time. A call that throws one of the errors named leaves the session as it was.
class LiveSession {
 public:
  static constexpr std::size_t kMostPoints = 8;
  static constexpr std::size_t kTrail = 60;  // places of a point that are remembered
  static constexpr std::size_t kRecent = 8;  // frames ago that a click may belong to

  LiveSession(const AnyModel& model, const FrameSize& size, std::size_t threads);

  /// Takes the next frame. Throws FrameError if it is not of the session's size.
  void step(const FrameView& frame);
  /// Begins again: the zero state, no points, colours that are fitted anew.
  void reset();

  /// From now on tracks what is at `point` of the frame of step `step`; of the newest frame if that is long gone.
  /// Throws ArgumentError if the point is outside of the frame, there is no frame, or kMostPoints are tracked already.
  void track(const Point& point, std::uint64_t step);
  /// Tracks nothing any more.
  void forget_points() noexcept { tracks_.clear(); }

  /// The state, as Stream::save gives it.
  std::vector<std::byte> save() const { return stream_.save(); }
  /// Takes it back; the points, which belong to another time, are gone. Throws StateError as Stream::restore does.
  void restore(std::span<const std::byte> state);

  /// What there is to see; rate, status and names are the caller's.
  Moment moment();

 private:
  struct Track {
    TrackedPoint point;
    LabelPropagation labels;
    Point offset;  // from what is read from the labels to what the user has clicked
  };

  Tensor<float> label_of(const Point& point) const;
  Point place_of(const LabelPropagation& labels) const;
  void follow(Track& track, TensorView<const float> features) const;

  AnyStream stream_;
  StreamingPcaColours paint_;
  // Fewer frames of context than the protocol's 20: several points are tracked at once, each with a context of its own.
  PropagationOptions tracking_{.context = 7};
  std::vector<Track> tracks_;
  std::array<Tensor<float>, kRecent> recent_;  // features of step s at s % kRecent
  std::size_t remembered_ = 0;                 // how many of them there are
  std::uint64_t steps_ = 0;
  double milliseconds_ = 0;
  Image frame_;
  Image colours_;
};

}  // namespace rvm::examples
