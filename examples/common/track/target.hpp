#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/image/point.hpp>
#include <rvm/tracking/label_propagation.hpp>

#include "common/sized_source.hpp"

namespace rvm::examples {

/// What is followed through a video: objects' masks, points or boxes. In the first frame it is where it was given.
class Target {
 public:
  Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  virtual ~Target() = default;

  /// Takes the next frame's features [h, w, D]. Throws rvm::ArgumentError as the trackers do.
  virtual void step(TensorView<const float> features) = 0;

  // Where it is in the frame before:

  /// {"points": [[x, y], null, ...]}, {"boxes": [[left, top, right, bottom], null, ...]} or {"objects": [{"label": 1,
  /// "pixels": 5, "box": [...]}, ...]}, in pixels of the video's frames; null for what is not seen.
  virtual nlohmann::json json() const = 0;
  /// Drawn on that frame.
  virtual void draw(Image& frame) = 0;
  /// The mask [H, W]; null if it is not masks that are followed.
  virtual const LabelImage* mask() const { return nullptr; }
};

/// The objects of the first frame's mask. Throws rvm::IoError if the file has not the size of the video's frames, or
/// nothing but background.
std::unique_ptr<Target> follow_mask(const std::filesystem::path& file, const FrameSize& frames,
                                    const PropagationOptions& options);

/// Points, at least one of them visible; `trail` is the number of frames in which the picture shows where they were.
/// Where a point is found counts from where the tracker finds it in the first frame, so that none jumps at the start.
/// Throws rvm::ArgumentError if one is outside of the frames.
std::unique_ptr<Target> follow_points(const std::vector<Point>& points, std::size_t trail, const FrameSize& frames,
                                      const PropagationOptions& options);

/// Boxes. Throws rvm::ArgumentError if one is empty or reaches out of the frames.
std::unique_ptr<Target> follow_boxes(const std::vector<Box>& boxes, const FrameSize& frames,
                                     const PropagationOptions& options);

}  // namespace rvm::examples
