#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/point.hpp>

namespace rvm {

namespace detail {

inline void check_heatmap(const Shape& shape, std::size_t height, std::size_t width) {
  if (shape.rank() != 3 || shape.elements() == 0 || height == 0 || width == 0) {
    throw ArgumentError("a heat map is [h, w, C] and belongs to a frame with pixels, found " + to_string(shape) +
                        " and " + std::to_string(height) + "x" + std::to_string(width));
  }
}

}  // namespace detail

/// Points of a height x width frame -> [h, w, 1 + points]: a gaussian of `sigma` tokens around each point in a channel
/// of its own, cut off at 3 sigma; channel 0 is the background, 1 where no point has anything. A point that is not
/// visible has an empty channel, and a point outside the frame what of its gaussian lies inside. Throws ArgumentError
/// if there are no points, no pixels, or one is not a finite number. (Spec, section 6: keypoints.)
inline Tensor<float> pose_to_heatmap(std::span<const Point> points, std::size_t h, std::size_t w, std::size_t height,
                                     std::size_t width, double sigma = 0.5) {
  if (points.empty()) throw ArgumentError("there are no points to track");
  if (!(sigma > 0) || sigma > 1000) throw ArgumentError("the width of a point's gaussian must be in (0, 1000] tokens");
  Tensor<float> out({h, w, points.size() + 1});
  detail::check_heatmap(out.shape(), height, width);
  const auto size = static_cast<long>(6 * sigma + 1);
  const auto squared = [&](long i) { return static_cast<double>((i - size / 2) * (i - size / 2)); };
  for (std::size_t j = 0; j < points.size(); ++j) {
    if (!points[j].visible()) continue;
    const double x = static_cast<double>(points[j].x) * (static_cast<double>(w) / static_cast<double>(width));
    const double y = static_cast<double>(points[j].y) * (static_cast<double>(h) / static_cast<double>(height));
    if (!std::isfinite(x) || !std::isfinite(y)) {
      throw ArgumentError("point " + std::to_string(j) + " is not a pair of finite numbers");
    }
    // Far outside, where whole numbers would overflow.
    if (std::max(std::abs(x), std::abs(y)) > 1e9) continue;
    const auto left = static_cast<long>(x - 3 * sigma);
    const auto top = static_cast<long>(y - 3 * sigma);
    const long right = std::min(static_cast<long>(x + 3 * sigma + 1), static_cast<long>(w));
    const long bottom = std::min(static_cast<long>(y + 3 * sigma + 1), static_cast<long>(h));
    for (long v = std::max(top, 0L); v < bottom; ++v) {
      for (long u = std::max(left, 0L); u < right; ++u) {
        out(v, u, j + 1) = static_cast<float>(std::exp(-(squared(v - top) + squared(u - left)) / (2 * sigma * sigma)));
      }
    }
  }
  for (std::size_t i = 0; i < out.size(); i += points.size() + 1) {
    float* const token = out.data() + i;
    token[0] = std::all_of(token + 1, token + 1 + points.size(), [](float v) { return v == 0.0F; }) ? 1.0F : 0.0F;
  }
  return out;
}

/// [h, w, 1 + points] -> points of a height x width frame: for each, the mean place of its channel's five strongest
/// tokens, weighted by their values; (-1, -1), not visible, where the channel is empty. Throws ArgumentError if the
/// heat map has another rank or no channel, or there is not room for as many points. Allocates nothing. (Spec,
/// section 6.)
inline void heatmap_to_pose(TensorView<const float> heatmap, std::size_t height, std::size_t width,
                            std::span<Point> points) {
  const Shape& shape = heatmap.shape();
  detail::check_heatmap(shape, height, width);
  if (shape[2] != points.size() + 1) {
    throw ArgumentError("a heat map of shape " + to_string(shape) + " holds " + std::to_string(shape[2] - 1) +
                        " points, found room for " + std::to_string(points.size()));
  }
  constexpr std::size_t kStrongest = 5;
  struct Token {
    float value;
    std::size_t id;
  };
  const std::size_t tokens = shape[0] * shape[1];
  for (std::size_t j = 0; j < points.size(); ++j) {
    std::array<Token, kStrongest> best{};
    std::size_t count = 0;
    double sum = 0;
    for (std::size_t id = 0; id < tokens; ++id) {
      const float value = heatmap.data()[id * shape[2] + j + 1];
      sum += static_cast<double>(value);
      if (count == kStrongest && !(value > best[kStrongest - 1].value)) continue;
      std::size_t place = std::min(count, kStrongest - 1);
      for (; place > 0 && value > best[place - 1].value; --place) best[place] = best[place - 1];
      best[place] = {value, id};
      count = std::min(count + 1, kStrongest);
    }
    points[j] = Point{};
    if (sum == 0) continue;
    double total = 0;
    double x = 0;
    double y = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double value = static_cast<double>(best[i].value);
      total += value;
      x += value * static_cast<double>(best[i].id % shape[1]);
      y += value * static_cast<double>(best[i].id / shape[1]);
    }
    points[j] = {static_cast<float>(x / total / static_cast<double>(shape[1]) * static_cast<double>(width)),
                 static_cast<float>(y / total / static_cast<double>(shape[0]) * static_cast<double>(height))};
  }
}

/// The same into memory of its own.
inline std::vector<Point> heatmap_to_pose(TensorView<const float> heatmap, std::size_t height, std::size_t width) {
  detail::check_heatmap(heatmap.shape(), height, width);
  std::vector<Point> points(heatmap.shape()[2] - 1);
  heatmap_to_pose(heatmap, height, width, points);
  return points;
}

}  // namespace rvm
