#include "common/track/target.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/tracking/box_tracker.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/point_tracker.hpp>
#include <rvm/visualize/overlay.hpp>
#include <rvm/visualize/palette.hpp>

#include "common/label_png.hpp"

namespace rvm::examples {
namespace {

/// A number of pixels with three digits after the point: more would only be noise.
double rounded(float pixels) {
  return std::round(static_cast<double>(pixels) * 1000) / 1000;
}

nlohmann::json to_json(const Point& point) {
  if (!point.visible()) return nullptr;
  return {rounded(point.x), rounded(point.y)};
}

nlohmann::json to_json(const Box& box) {
  if (!box.visible()) return nullptr;
  return {rounded(box.left), rounded(box.top), rounded(box.right), rounded(box.bottom)};
}

std::string to_text(std::initializer_list<float> numbers) {
  std::string text;
  for (const float number : numbers) {
    std::array<char, 32> digits{};
    std::snprintf(digits.data(), digits.size(), "%g", static_cast<double>(number));
    text += (text.empty() ? "(" : ", ") + std::string(digits.data());
  }
  return text + ")";
}

class MaskTarget final : public Target {
 public:
  MaskTarget(LabelImage mask, const PropagationOptions& options) : options_(options), mask_(std::move(mask)) {}

  void step(TensorView<const float> features) override {
    if (!tracker_) {
      tracker_.emplace(features, mask_, options_);
    } else {
      mask_ = tracker_->step(features);
    }
  }

  nlohmann::json json() const override {
    struct Object {
      std::size_t pixels = 0;
      std::size_t left = SIZE_MAX, top = SIZE_MAX, right = 0, bottom = 0;
    };
    std::array<Object, 256> objects;
    for (std::size_t y = 0; y < mask_.shape()[0]; ++y) {
      for (std::size_t x = 0; x < mask_.shape()[1]; ++x) {
        Object& object = objects[mask_(y, x)];
        ++object.pixels;
        object.left = std::min(object.left, x);
        object.top = std::min(object.top, y);
        object.right = std::max(object.right, x + 1);
        object.bottom = std::max(object.bottom, y + 1);
      }
    }
    nlohmann::json list = nlohmann::json::array();
    for (std::size_t label = 1; label < objects.size(); ++label) {
      const Object& object = objects[label];
      if (object.pixels == 0) continue;
      list.push_back({{"label", label},
                      {"pixels", object.pixels},
                      {"box", {object.left, object.top, object.right, object.bottom}}});
    }
    return {{"objects", list}};
  }

  void draw(Image& frame) override { draw_mask(frame, mask_); }
  const LabelImage* mask() const override { return &mask_; }

 private:
  PropagationOptions options_;
  LabelImage mask_;
  std::optional<MaskTracker> tracker_;
};

class PointTarget final : public Target {
 public:
  PointTarget(const std::vector<Point>& points, std::size_t trail, const FrameSize& frames,
              const PropagationOptions& options)
      : options_(options), frames_(frames), given_(points), points_(points), trails_(points.size()), trail_(trail) {}

  void step(TensorView<const float> features) override {
    if (!tracker_) {
      tracker_.emplace(features, given_, frames_.height, frames_.width, options_);
      found_at_first_.assign(tracker_->points().begin(), tracker_->points().end());
    } else {
      const std::span<const Point> found = tracker_->step(features);
      for (std::size_t i = 0; i < points_.size(); ++i) points_[i] = from_given(i, found[i]);
    }
    for (std::size_t i = 0; i < points_.size(); ++i) {
      trails_[i].push_back(points_[i]);
      if (trails_[i].size() > trail_ + 1) trails_[i].pop_front();
    }
  }

  nlohmann::json json() const override {
    nlohmann::json list = nlohmann::json::array();
    for (const Point& point : points_) list.push_back(to_json(point));
    return {{"points", list}};
  }

  void draw(Image& frame) override {
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const std::vector<Point> trail(trails_[i].begin(), trails_[i].end());
      draw_trail(frame, trail, distinct_colour(i));
    }
    draw_points(frame, points_);
  }

 private:
  Point from_given(std::size_t i, const Point& found) const {
    if (!found.visible() || !found_at_first_[i].visible()) return found;
    const auto inside = [](float at, std::size_t size) { return std::clamp(at, 0.0F, static_cast<float>(size)); };
    return {inside(found.x + given_[i].x - found_at_first_[i].x, frames_.width),
            inside(found.y + given_[i].y - found_at_first_[i].y, frames_.height)};
  }

  PropagationOptions options_;
  FrameSize frames_;
  std::vector<Point> given_;
  std::vector<Point> found_at_first_;
  std::vector<Point> points_;
  std::vector<std::deque<Point>> trails_;
  std::size_t trail_;
  std::optional<PointTracker> tracker_;
};

class BoxTarget final : public Target {
 public:
  BoxTarget(const std::vector<Box>& boxes, const FrameSize& frames, const PropagationOptions& options)
      : options_(options), frames_(frames), boxes_(boxes) {}

  void step(TensorView<const float> features) override {
    if (!tracker_) {
      tracker_.emplace(features, boxes_, frames_.height, frames_.width, options_);
    } else {
      const std::span<const Box> found = tracker_->step(features);
      boxes_.assign(found.begin(), found.end());
    }
  }

  nlohmann::json json() const override {
    nlohmann::json list = nlohmann::json::array();
    for (const Box& box : boxes_) list.push_back(to_json(box));
    return {{"boxes", list}};
  }

  void draw(Image& frame) override {
    for (std::size_t i = 0; i < boxes_.size(); ++i) draw_box(frame, boxes_[i], distinct_colour(i));
  }

 private:
  PropagationOptions options_;
  FrameSize frames_;
  std::vector<Box> boxes_;
  std::optional<BoxTracker> tracker_;
};

}  // namespace

std::unique_ptr<Target> follow_mask(const std::filesystem::path& file, const FrameSize& frames,
                                    const PropagationOptions& options) {
  LabelImage mask = read_label_png(file, frames);
  if (std::all_of(mask.begin(), mask.end(), [](std::uint8_t label) { return label == 0; })) {
    throw IoError(file.string() + ": no objects in it, all labels are 0");
  }
  return std::make_unique<MaskTarget>(std::move(mask), options);
}

std::unique_ptr<Target> follow_points(const std::vector<Point>& points, std::size_t trail, const FrameSize& frames,
                                      const PropagationOptions& options) {
  for (const Point& point : points) {
    if (point == Point{}) continue;
    if (point.x >= 0 && point.y >= 0 && point.x < static_cast<float>(frames.width) &&
        point.y < static_cast<float>(frames.height)) {
      continue;
    }
    throw ArgumentError("point " + to_text({point.x, point.y}) + " is outside of the frames, which are " +
                        to_string(frames) + " (height x width)");
  }
  if (std::none_of(points.begin(), points.end(), [](const Point& point) { return point.visible(); })) {
    throw ArgumentError("there are no points to track");
  }
  return std::make_unique<PointTarget>(points, trail, frames, options);
}

std::unique_ptr<Target> follow_boxes(const std::vector<Box>& boxes, const FrameSize& frames,
                                     const PropagationOptions& options) {
  for (const Box& box : boxes) {
    const std::string name = "box " + to_text({box.left, box.top, box.right, box.bottom});
    if (!(box.left < box.right && box.top < box.bottom)) throw ArgumentError(name + " has no area");
    if (!(box.left >= 0 && box.top >= 0 && box.right <= static_cast<float>(frames.width) &&
          box.bottom <= static_cast<float>(frames.height))) {
      throw ArgumentError(name + " reaches out of the frames, which are " + to_string(frames) + " (height x width)");
    }
  }
  return std::make_unique<BoxTarget>(boxes, frames, options);
}

}  // namespace rvm::examples
