#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/rvm.hpp>
#include <rvm/tracking/keypoints.hpp>
#include <rvm/tracking/label_propagation.hpp>
#include <rvm/visualize/streaming_pca_colours.hpp>

#include "common/live/moment.hpp"
#include "common/sized_source.hpp"

namespace rvm::examples {

/// A model that watches a video: its state, the colours of what it sees, and the points that it tracks. Used by one
/// thread at a time. A call that throws one of the errors named leaves the session as it was.
template <Backend B>
class LiveSession {
 public:
  static constexpr std::size_t kMostPoints = 8;
  static constexpr std::size_t kTrail = 60;  // places of a point that are remembered
  static constexpr std::size_t kRecent = 8;  // frames ago that a click may belong to

  LiveSession(Model<B> model, const FrameSize& size, std::size_t threads)
      : stream_(std::move(model), {.height = size.height, .width = size.width}) {
    tracking_.threads = threads;
    for (Tensor<float>& features : recent_) {
      features = Tensor<float>({stream_.grid_height(), stream_.grid_width(), stream_.token_width()});
    }
  }

  /// Takes the next frame. Throws FrameError if it is not of the session's size.
  void step(const FrameView& frame) {
    const auto start = std::chrono::steady_clock::now();
    const TensorView<const float> features = stream_.step(frame).tokens();
    colours_ = paint_(features);
    for (Track& track : tracks_) follow(track, features);
    to_rgb(frame, frame_);
    ++steps_;
    std::copy(features.begin(), features.end(), recent_[steps_ % kRecent].begin());
    remembered_ = std::min(remembered_ + 1, kRecent);
    milliseconds_ = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  /// Begins again: the zero state, no points, colours that are fitted anew.
  void reset() {
    paint_ = StreamingPcaColours();
    stream_.reset();
    tracks_.clear();
    remembered_ = 0;
  }

  /// From now on tracks what is at `point` of the frame of step `step`; of the newest frame if that is long gone.
  /// Throws ArgumentError if the point is outside of the frame, there is no frame, or kMostPoints are tracked already.
  void track(const Point& point, std::uint64_t step) {
    const auto height = static_cast<float>(stream_.options().height);
    const auto width = static_cast<float>(stream_.options().width);
    if (remembered_ == 0) throw ArgumentError("there is no frame yet to track a point of");
    if (!(point.x >= 0 && point.x < width && point.y >= 0 && point.y < height)) {
      throw ArgumentError("the point (" + std::to_string(point.x) + ", " + std::to_string(point.y) +
                          ") is outside of the frame of " +
                          to_string(FrameSize{stream_.options().height, stream_.options().width}));
    }
    if (tracks_.size() == kMostPoints) {
      throw ArgumentError("at most " + std::to_string(kMostPoints) + " points are tracked at once");
    }
    const bool recent = step <= steps_ && steps_ - step < remembered_;
    std::uint64_t at = recent ? step : steps_;
    LabelPropagation labels(recent_[at % kRecent], label_of(point), tracking_);
    const Point read = place_of(labels);
    Track track{{tracks_.size(), true, point, {point}}, std::move(labels), {point.x - read.x, point.y - read.y}};
    while (at++ < steps_) follow(track, recent_[at % kRecent]);
    tracks_.push_back(std::move(track));
  }

  /// Tracks nothing any more.
  void forget_points() noexcept { tracks_.clear(); }

  /// The state, as Stream::save gives it.
  std::vector<std::byte> save() const { return stream_.save(); }
  /// Takes it back; the points, which belong to another time, are gone. Throws StateError as Stream::restore does.
  void restore(std::span<const std::byte> state) {
    stream_.restore(state);
    tracks_.clear();
    remembered_ = 0;
  }

  /// What there is to see; rate, status and names are the caller's.
  Moment moment() {
    Moment moment;
    moment.step = steps_;
    moment.frames = stream_.frames();
    moment.milliseconds = milliseconds_;
    double squares = 0;
    for (const float value : stream_.features().values()) squares += double{value} * double{value};
    moment.norm = std::sqrt(squares);
    moment.frame = frame_;
    moment.colours = colours_;
    for (const Track& track : tracks_) moment.points.push_back(track.point);
    return moment;
  }

 private:
  struct Track {
    TrackedPoint point;
    LabelPropagation labels;
    Point offset;  // from what is read from the labels to what the user has clicked
  };

  /// [h, w, 2], background and point: the point's share of the tokens around it, whose places are their patches'
  /// middles.
  Tensor<float> label_of(const Point& point) const {
    const auto h = static_cast<std::ptrdiff_t>(stream_.grid_height());
    const auto w = static_cast<std::ptrdiff_t>(stream_.grid_width());
    Tensor<float> label({stream_.grid_height(), stream_.grid_width(), 2});
    const float y = std::clamp(point.y / static_cast<float>(kPatchSize) - 0.5F, 0.0F, static_cast<float>(h - 1));
    const float x = std::clamp(point.x / static_cast<float>(kPatchSize) - 0.5F, 0.0F, static_cast<float>(w - 1));
    for (std::ptrdiff_t i = 0; i < h; ++i) {
      for (std::ptrdiff_t j = 0; j < w; ++j) {
        const float nearness = std::max(0.0F, 1 - std::abs(y - static_cast<float>(i))) *
                               std::max(0.0F, 1 - std::abs(x - static_cast<float>(j)));
        label(i, j, 0) = 1 - nearness;
        label(i, j, 1) = nearness;
      }
    }
    return label;
  }

  Point place_of(const LabelPropagation& labels) const {
    Point place;
    heatmap_to_pose(labels.labels(), stream_.options().height, stream_.options().width, std::span(&place, 1));
    return place;
  }

  void follow(Track& track, TensorView<const float> features) const {
    track.labels.step(features);
    const Point read = place_of(track.labels);
    TrackedPoint& point = track.point;
    point.seen = read.visible();
    if (!point.seen) return;
    point.place = {std::clamp(read.x + track.offset.x, 0.0F, static_cast<float>(stream_.options().width)),
                   std::clamp(read.y + track.offset.y, 0.0F, static_cast<float>(stream_.options().height))};
    if (point.trail.size() == kTrail) point.trail.erase(point.trail.begin());
    point.trail.push_back(point.place);
  }

  Stream<B> stream_;
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
