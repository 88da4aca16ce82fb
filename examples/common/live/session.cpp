#include "common/live/session.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/tracking/keypoints.hpp>

namespace rvm::examples {

LiveSession::LiveSession(const AnyModel& model, const FrameSize& size, std::size_t threads) : stream_(model, size) {
  tracking_.threads = threads;
  for (Tensor<float>& features : recent_) {
    features = Tensor<float>({stream_.grid_height(), stream_.grid_width(), stream_.token_width()});
  }
}

void LiveSession::step(const FrameView& frame) {
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

void LiveSession::reset() {
  paint_ = StreamingPcaColours();
  stream_.reset();
  tracks_.clear();
  remembered_ = 0;
}

void LiveSession::track(const Point& point, std::uint64_t step) {
  const auto height = static_cast<float>(stream_.size().height);
  const auto width = static_cast<float>(stream_.size().width);
  if (remembered_ == 0) throw ArgumentError("there is no frame yet to track a point of");
  if (!(point.x >= 0 && point.x < width && point.y >= 0 && point.y < height)) {
    throw ArgumentError("the point (" + std::to_string(point.x) + ", " + std::to_string(point.y) +
                        ") is outside of the frame of " + to_string(stream_.size()));
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

void LiveSession::restore(std::span<const std::byte> state) {
  stream_.restore(state);
  tracks_.clear();
  remembered_ = 0;
}

Moment LiveSession::moment() {
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

// [h, w, 2], background and point: the point's share of the tokens around it, whose places are their patches'
// middles.
Tensor<float> LiveSession::label_of(const Point& point) const {
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

Point LiveSession::place_of(const LabelPropagation& labels) const {
  Point place;
  heatmap_to_pose(labels.labels(), stream_.size().height, stream_.size().width, std::span(&place, 1));
  return place;
}

void LiveSession::follow(Track& track, TensorView<const float> features) const {
  track.labels.step(features);
  const Point read = place_of(track.labels);
  TrackedPoint& point = track.point;
  point.seen = read.visible();
  if (!point.seen) return;
  point.place = {std::clamp(read.x + track.offset.x, 0.0F, static_cast<float>(stream_.size().width)),
                 std::clamp(read.y + track.offset.y, 0.0F, static_cast<float>(stream_.size().height))};
  if (point.trail.size() == kTrail) point.trail.erase(point.trail.begin());
  point.trail.push_back(point.place);
}

}  // namespace rvm::examples
