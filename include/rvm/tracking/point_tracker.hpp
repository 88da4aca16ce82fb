#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <rvm/core/tensor.hpp>
#include <rvm/image/point.hpp>
#include <rvm/tracking/keypoints.hpp>
#include <rvm/tracking/label_propagation.hpp>

namespace rvm {

/// Follows points through a video, given each frame's features: joints of a body, or any places. A point is where the
/// tokens most like those around it are; it is (-1, -1), not visible, in a frame where nothing of it is left, and may
/// be found again later. (Spec, section 6: keypoints.)
///
/// One thread at a time. A call that throws leaves it as it was. A step allocates nothing.
class PointTracker {
 public:
  /// The first frame's features [h, w, D] and points, in pixels of a height x width frame. A point that is not visible,
  /// or far outside, stays not visible. Throws ArgumentError if there are no points or no pixels, or as
  /// LabelPropagation does.
  PointTracker(TensorView<const float> features, std::span<const Point> points, std::size_t height, std::size_t width,
               const PropagationOptions& options = {})
      : propagation_(features, heatmap_of(features.shape(), points, height, width), options),
        points_(points.size()),
        height_(height),
        width_(width) {
    heatmap_to_pose(propagation_.labels(), height_, width_, points_);
  }

  /// Takes the next frame's features and returns points(). Throws ArgumentError as LabelPropagation does.
  std::span<const Point> step(TensorView<const float> features) {
    heatmap_to_pose(propagation_.step(features), height_, width_, points_);
    return points_;
  }

  /// The points in the frame before, in the order they were given; of the first frame what the protocol makes of them.
  /// Changes with the next step.
  std::span<const Point> points() const noexcept { return points_; }
  const LabelPropagation& propagation() const noexcept { return propagation_; }

 private:
  static Tensor<float> heatmap_of(const Shape& features, std::span<const Point> points, std::size_t height,
                                  std::size_t width) {
    detail::check_features(features);
    return pose_to_heatmap(points, features[0], features[1], height, width);
  }

  LabelPropagation propagation_;
  std::vector<Point> points_;
  std::size_t height_;
  std::size_t width_;
};

}  // namespace rvm
