#pragma once

namespace rvm {

/// A place in an image, in pixels: x to the right, y down, both from the upper left corner of the image. (-1, -1), the
/// default, stands for a point that is not seen.
struct Point {
  float x = -1.0F;
  float y = -1.0F;

  constexpr bool visible() const noexcept { return x != -1.0F || y != -1.0F; }
  friend constexpr bool operator==(const Point&, const Point&) = default;
};

/// A rectangle of an image, in pixels; left and top belong to it, right and bottom do not. The default has no area,
/// which stands for a box that is not seen.
struct Box {
  float left = 0.0F;
  float top = 0.0F;
  float right = 0.0F;
  float bottom = 0.0F;

  constexpr float width() const noexcept { return right - left; }
  constexpr float height() const noexcept { return bottom - top; }
  constexpr bool visible() const noexcept { return right > left && bottom > top; }
  friend constexpr bool operator==(const Box&, const Box&) = default;
};

}  // namespace rvm
