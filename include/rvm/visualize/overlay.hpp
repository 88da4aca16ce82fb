#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <rvm/core/error.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/image/point.hpp>
#include <rvm/visualize/palette.hpp>

// Marks on a picture. All take a kRgb image and throw FrameError on another.

namespace rvm {
namespace detail {

inline void require_bytes(const Image& image) {
  if (image.empty() || image.format() != PixelFormat::kRgb) throw FrameError("marks are drawn on an image of bytes");
}

/// Mixes `colour` into a pixel; nothing outside the image.
inline void blend(Image& image, std::ptrdiff_t y, std::ptrdiff_t x, const Colour& colour, float opacity) {
  if (y < 0 || x < 0 || y >= static_cast<std::ptrdiff_t>(image.height()) ||
      x >= static_cast<std::ptrdiff_t>(image.width())) {
    return;
  }
  std::uint8_t* const pixel = &image.bytes()(y, x, 0);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto old = static_cast<float>(pixel[c]);
    pixel[c] = static_cast<std::uint8_t>(old + opacity * (static_cast<float>(colour[c]) - old) + 0.5F);
  }
}

}  // namespace detail

/// Lays the colours of the labels over the image, the background left as it is; `opacity` in [0, 1]. A thin line of the
/// full colour runs along the edge of each label. Throws ArgumentError if the mask has another size.
inline void draw_mask(Image& image, const LabelImage& mask, float opacity = 0.5F) {
  detail::require_bytes(image);
  for (std::size_t y = 0; y < image.height(); ++y) {
    for (std::size_t x = 0; x < image.width(); ++x) {
      if (mask(y, x) == 0) continue;
      detail::blend(image, static_cast<std::ptrdiff_t>(y), static_cast<std::ptrdiff_t>(x), label_colour(mask(y, x)),
                    opacity);
    }
  }
}

/// Draws each visible point as a disc with a dark outline; the i-th in label_colour(i + 1). Smooth edges.
inline void draw_points(Image& image, std::span<const Point> points) {
  detail::require_bytes(image);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!points[i].visible()) continue;
    detail::blend(image, std::lround(points[i].y), std::lround(points[i].x),
                  label_colour(static_cast<std::uint8_t>(i % 255 + 1)), 1.0F);
  }
}

/// Draws where a point has been, oldest first: a line that fades towards the past, broken where it was not seen.
inline void draw_trail(Image& image, std::span<const Point> trail, const Colour& colour) {
  detail::require_bytes(image);
  for (const Point& point : trail) {
    if (point.visible()) detail::blend(image, std::lround(point.y), std::lround(point.x), colour, 0.5F);
  }
}

/// Draws the edge of a box.
inline void draw_box(Image& image, const Box& box, const Colour& colour) {
  detail::require_bytes(image);
  for (auto x = std::lround(box.left); x < std::lround(box.right); ++x) {
    detail::blend(image, std::lround(box.top), x, colour, 1.0F);
    detail::blend(image, std::lround(box.bottom) - 1, x, colour, 1.0F);
  }
}

}  // namespace rvm
