#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/point.hpp>
#include <rvm/tracking/label_propagation.hpp>

namespace rvm {

/// Boxes of a height x width frame -> [h, w, boxes]: the share of each token that lies in each box. Boxes may overlap
/// each other and the frame's edges. Throws ArgumentError if there are no boxes or no pixels, or a box has no area in
/// the frame.
inline Tensor<float> boxes_to_heatmap(std::span<const Box> boxes, std::size_t h, std::size_t w, std::size_t height,
                                      std::size_t width) {
  if (boxes.empty()) throw ArgumentError("there are no boxes to track");
  Tensor<float> out({h, w, boxes.size()});
  if (out.empty() || height == 0 || width == 0) throw ArgumentError("boxes belong to a frame with pixels");
  // How much of token i's extent along one axis lies in [first, last).
  const auto share = [](std::size_t i, float first, float last, std::size_t tokens, std::size_t pixels) {
    const double scale = static_cast<double>(tokens) / static_cast<double>(pixels);
    const double from = std::max(static_cast<double>(first) * scale, static_cast<double>(i));
    const double to = std::min(static_cast<double>(last) * scale, static_cast<double>(i + 1));
    return std::max(to - from, 0.0);
  };
  for (std::size_t b = 0; b < boxes.size(); ++b) {
    double area = 0;
    for (std::size_t y = 0; y < h; ++y) {
      const double rows = share(y, boxes[b].top, boxes[b].bottom, h, height);
      for (std::size_t x = 0; x < w; ++x) {
        out(y, x, b) = static_cast<float>(rows * share(x, boxes[b].left, boxes[b].right, w, width));
        area += static_cast<double>(out(y, x, b));
      }
    }
    if (!(area > 0)) {
      throw ArgumentError("box " + std::to_string(b) + " has no area in a frame of " + std::to_string(height) + "x" +
                          std::to_string(width));
    }
  }
  return out;
}

/// Follows boxes through a video, given each frame's features. A box is the label of the tokens that it covers, each
/// box for itself, so that they may overlap. It is found again as the box around one connected region: of the regions
/// where its label is at least half as strong as where it is strongest, the one that holds most of it. The region's
/// edges lie in its outermost tokens where their shares of the label put them. Stray labels elsewhere do not widen it.
/// A box is lost, not visible, in a frame where its label is nowhere a quarter as strong as at first; it may be found
/// again later. A box smaller than a token comes out as large as one.
///
/// One thread at a time. A call that throws leaves it as it was. A step allocates nothing.
class BoxTracker {
 public:
  /// The first frame's features [h, w, D] and boxes, in pixels of a height x width frame. Throws ArgumentError if there
  /// are no boxes or one has no area in the frame, or as LabelPropagation does.
  BoxTracker(TensorView<const float> features, std::span<const Box> boxes, std::size_t height, std::size_t width,
             const PropagationOptions& options = {})
      : BoxTracker(features, heatmap_of(features.shape(), boxes, height, width), height, width, options) {}

  /// Takes the next frame's features and returns boxes(). Throws ArgumentError as LabelPropagation does.
  std::span<const Box> step(TensorView<const float> features) {
    propagation_.step(features);
    find();
    return boxes_;
  }

  /// The boxes in the frame before, in the order they were given; of the first frame what is made of them. Changes with
  /// the next step.
  std::span<const Box> boxes() const noexcept { return boxes_; }
  const LabelPropagation& propagation() const noexcept { return propagation_; }

 private:
  static constexpr float kLevel = 0.5F;  // of the strongest label: the region's edge
  static constexpr float kLost = 0.25F;  // of the first frame's strongest label: below, the box is lost

  struct Region {
    float mass = 0.0F;
    Box box;  // in tokens, half a token's width inside the region's edges at first
  };

  BoxTracker(TensorView<const float> features, const Tensor<float>& heatmap, std::size_t height, std::size_t width,
             const PropagationOptions& options)
      : propagation_(features, heatmap, options),
        boxes_(heatmap.shape()[2]),
        first_peaks_(heatmap.shape()[2]),
        visited_(heatmap.shape()[0] * heatmap.shape()[1]),
        open_(visited_.size()),
        height_(height),
        width_(width) {
    for (std::size_t i = 0; i < heatmap.size(); ++i) {
      float& peak = first_peaks_[i % boxes_.size()];
      peak = std::max(peak, heatmap.data()[i]);
    }
    find();
  }

  static Tensor<float> heatmap_of(const Shape& features, std::span<const Box> boxes, std::size_t height,
                                  std::size_t width) {
    detail::check_features(features);
    return boxes_to_heatmap(boxes, features[0], features[1], height, width);
  }

  void find() noexcept {
    const Shape& shape = propagation_.labels_shape();
    labels_ = propagation_.labels().data();
    const float scale_x = static_cast<float>(width_) / static_cast<float>(shape[1]);
    const float scale_y = static_cast<float>(height_) / static_cast<float>(shape[0]);
    for (std::size_t b = 0; b < boxes_.size(); ++b) {
      float peak = 0;
      for (std::size_t i = 0; i < visited_.size(); ++i) peak = std::max(peak, label(i, b));
      boxes_[b] = {};
      if (!(peak >= kLost * first_peaks_[b])) continue;
      const Box box = largest_region(b, kLevel * peak).box;
      boxes_[b] = {box.left * scale_x, box.top * scale_y, box.right * scale_x, box.bottom * scale_y};
    }
  }

  float label(std::size_t token, std::size_t b) const noexcept { return labels_[token * boxes_.size() + b]; }

  // Of the connected regions (by edges and corners) where box b's label is at least `level`, the one with most of it.
  Region largest_region(std::size_t b, float level) noexcept {
    std::fill(visited_.begin(), visited_.end(), std::uint8_t{0});
    Region best;
    for (std::size_t i = 0; i < visited_.size(); ++i) {
      if (visited_[i] != 0 || label(i, b) < level) continue;
      const Region region = flood(i, b, level);
      if (region.mass > best.mass) best = region;
    }
    return best;
  }

  Region flood(std::size_t start, std::size_t b, float level) noexcept {
    const std::size_t h = propagation_.labels_shape()[0];
    const std::size_t w = propagation_.labels_shape()[1];
    const float inf = std::numeric_limits<float>::infinity();
    Region region{0.0F, {inf, inf, -inf, -inf}};
    std::size_t open = 0;
    const auto visit = [&](std::size_t token) {
      visited_[token] = 1;
      open_[open++] = token;
    };
    visit(start);
    while (open > 0) {
      const std::size_t token = open_[--open];
      const std::size_t y = token / w;
      const std::size_t x = token % w;
      region.mass += label(token, b);
      // How far beyond the token's centre the region goes: half a token less what the token lacks, or more by what the
      // next one has. For a box with a token's row to itself, exactly where its edge is.
      const auto reach = [&](bool inside, std::size_t next) {
        const float other = inside ? label(next, b) : 0.0F;
        return other >= level ? 0.0F : kLevel * (label(token, b) + other) / level - 0.5F;
      };
      const float centre_x = static_cast<float>(x) + 0.5F;
      const float centre_y = static_cast<float>(y) + 0.5F;
      region.box.left = std::min(region.box.left, centre_x - reach(x > 0, token - 1));
      region.box.right = std::max(region.box.right, centre_x + reach(x + 1 < w, token + 1));
      region.box.top = std::min(region.box.top, centre_y - reach(y > 0, token - w));
      region.box.bottom = std::max(region.box.bottom, centre_y + reach(y + 1 < h, token + w));
      for (std::size_t v = y > 0 ? y - 1 : 0; v <= std::min(y + 1, h - 1); ++v) {
        for (std::size_t u = x > 0 ? x - 1 : 0; u <= std::min(x + 1, w - 1); ++u) {
          const std::size_t next = v * w + u;
          if (visited_[next] == 0 && label(next, b) >= level) visit(next);
        }
      }
    }
    return region;
  }

  LabelPropagation propagation_;
  const float* labels_ = nullptr;  // of the present frame
  std::vector<Box> boxes_;
  std::vector<float> first_peaks_;
  std::vector<std::uint8_t> visited_;  // [h * w]
  std::vector<std::size_t> open_;      // [h * w]: tokens of a region whose neighbours have not been looked at
  std::size_t height_;
  std::size_t width_;
};

}  // namespace rvm
