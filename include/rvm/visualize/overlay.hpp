#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <rvm/core/error.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/image/point.hpp>
#include <rvm/visualize/palette.hpp>

// Marks on a picture, with smooth edges; what lies outside the picture is left out. All take an image of bytes (kRgb)
// and throw FrameError on another. Sizes are in pixels; 0 takes one that suits the picture, mark_size().

namespace rvm {

/// The radius of a point that is seen and hides little: a hundredth of the picture's shorter side, at least 2 pixels.
inline float mark_size(const Image& image) noexcept {
  return std::max(2.0F, static_cast<float>(std::min(image.height(), image.width())) / 100.0F);
}

namespace detail {

inline void require_bytes(const Image& image) {
  if (image.empty() || image.format() != PixelFormat::kRgb) throw FrameError("marks are drawn on an image of bytes");
}

/// Mixes a colour into a pixel; `opacity` in [0, 1].
inline void blend(std::uint8_t* pixel, const Colour& colour, float opacity) noexcept {
  for (std::size_t c = 0; c < colour.size(); ++c) {
    const auto old = static_cast<float>(pixel[c]);
    pixel[c] = static_cast<std::uint8_t>(old + opacity * (static_cast<float>(colour[c]) - old) + 0.5F);
  }
}

/// How much of a pixel lies inside a shape whose edge is `distance` from the pixel's centre, negative inside.
inline float coverage(float distance) noexcept {
  return std::clamp(0.5F - distance, 0.0F, 1.0F);
}

/// Mixes a colour into the pixels of `area`, grown by a pixel, as far as they lie in the image; opacity(x, y) is asked
/// for each pixel's centre.
template <class Opacity>
void paint(Image& image, const Box& area, const Colour& colour, const Opacity& opacity) {
  const auto inside = [](float at, std::size_t size) {
    return static_cast<std::size_t>(std::clamp(at, 0.0F, static_cast<float>(size)));
  };
  const std::size_t last_y = inside(std::ceil(area.bottom) + 1, image.height());
  const std::size_t last_x = inside(std::ceil(area.right) + 1, image.width());
  for (std::size_t y = inside(std::floor(area.top) - 1, image.height()); y < last_y; ++y) {
    for (std::size_t x = inside(std::floor(area.left) - 1, image.width()); x < last_x; ++x) {
      const float share = opacity(static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F);
      if (share > 0) blend(&image.bytes()(y, x, 0), colour, share);
    }
  }
}

inline bool drawable(const Point& point) noexcept {
  return point.visible() && std::isfinite(point.x) && std::isfinite(point.y);
}

inline void draw_disc(Image& image, const Point& centre, float radius, const Colour& colour) {
  paint(image, {centre.x - radius, centre.y - radius, centre.x + radius, centre.y + radius}, colour,
        [&](float x, float y) { return coverage(std::hypot(x - centre.x, y - centre.y) - radius); });
}

/// A line that ends squarely at both points, so that the next one begins without an overlap.
inline void draw_line(Image& image, const Point& from, const Point& to, float width, const Colour& colour,
                      float opacity) {
  const float dx = to.x - from.x;
  const float dy = to.y - from.y;
  const float length = std::hypot(dx, dy);
  if (!(length > 0)) return;
  const Box area{std::min(from.x, to.x) - width, std::min(from.y, to.y) - width, std::max(from.x, to.x) + width,
                 std::max(from.y, to.y) + width};
  paint(image, area, colour, [&](float x, float y) {
    const float along = ((x - from.x) * dx + (y - from.y) * dy) / length;
    if (along < 0 || along >= length) return 0.0F;
    const float across = std::abs((x - from.x) * dy - (y - from.y) * dx) / length;
    return opacity * coverage(across - width / 2);
  });
}

inline constexpr Colour kOutline{20, 20, 20};

}  // namespace detail

/// Lays the labels of a mask [H, W] over the image in label_colour(), the background left as it is: with `opacity` in
/// [0, 1] inside, and a line of full colour, one pixel wide, along the edges. Throws ArgumentError if the mask has not
/// the image's size or the opacity is out of range.
inline void draw_mask(Image& image, const LabelImage& mask, float opacity = 0.5F) {
  detail::require_bytes(image);
  const Shape expected{image.height(), image.width()};
  if (mask.shape() != expected) {
    throw ArgumentError("expected a mask " + to_string(expected) + ", found " + to_string(mask.shape()));
  }
  if (!(opacity >= 0 && opacity <= 1)) throw ArgumentError("the opacity of a mask is in [0, 1]");
  std::array<Colour, 256> colours;
  for (std::size_t i = 0; i < colours.size(); ++i) colours[i] = label_colour(static_cast<std::uint8_t>(i));
  const std::size_t height = image.height();
  const std::size_t width = image.width();
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* const row = mask.data() + y * width;
    for (std::size_t x = 0; x < width; ++x) {
      if (row[x] == 0) continue;
      const bool edge = (x > 0 && row[x - 1] != row[x]) || (x + 1 < width && row[x + 1] != row[x]) ||
                        (y > 0 && mask(y - 1, x) != row[x]) || (y + 1 < height && mask(y + 1, x) != row[x]);
      detail::blend(&image.bytes()(y, x, 0), colours[row[x]], edge ? 1.0F : opacity);
    }
  }
}

/// Draws a point as a disc with a dark outline; nothing if it is not visible.
inline void draw_point(Image& image, const Point& point, const Colour& colour, float radius = 0) {
  detail::require_bytes(image);
  if (!detail::drawable(point)) return;
  if (radius <= 0) radius = mark_size(image);
  detail::draw_disc(image, point, 1.3F * radius + 0.5F, detail::kOutline);
  detail::draw_disc(image, point, radius, colour);
}

/// Draws points, the i-th in distinct_colour(i).
inline void draw_points(Image& image, std::span<const Point> points, float radius = 0) {
  for (std::size_t i = 0; i < points.size(); ++i) draw_point(image, points[i], distinct_colour(i), radius);
}

/// Draws where a point has been, oldest first: a line that fades towards the past and is broken where the point was not
/// seen.
inline void draw_trail(Image& image, std::span<const Point> trail, const Colour& colour, float width = 0) {
  detail::require_bytes(image);
  if (width <= 0) width = mark_size(image);
  for (std::size_t i = 1; i < trail.size(); ++i) {
    if (!detail::drawable(trail[i - 1]) || !detail::drawable(trail[i])) continue;
    const float age = static_cast<float>(i) / static_cast<float>(trail.size() - 1);  // 1 is now
    detail::draw_line(image, trail[i - 1], trail[i], width, colour, age);
  }
}

/// Draws the edge of a box, on a darker line that shows it on any ground; nothing if the box is not visible.
inline void draw_box(Image& image, const Box& box, const Colour& colour, float width = 0) {
  detail::require_bytes(image);
  const bool finite =
      std::isfinite(box.left) && std::isfinite(box.top) && std::isfinite(box.right) && std::isfinite(box.bottom);
  if (!box.visible() || !finite) return;
  if (width <= 0) width = mark_size(image);
  const auto frame = [&](float thickness, const Colour& paint_colour) {
    const float half = thickness / 2;
    detail::paint(image, {box.left - half, box.top - half, box.right + half, box.bottom + half}, paint_colour,
                  [&](float x, float y) {
                    const float beside = std::max(box.left - x, x - box.right);
                    const float above = std::max(box.top - y, y - box.bottom);
                    return detail::coverage(std::abs(std::max(beside, above)) - half);
                  });
  };
  frame(width + 2, detail::kOutline);
  frame(width, colour);
}

}  // namespace rvm
