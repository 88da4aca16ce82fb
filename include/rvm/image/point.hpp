#pragma once

namespace rvm {

/// A place in a frame, in pixels: x to the right, y down, a pixel's centre at whole numbers. (-1, -1) is a point that
/// is not seen.
struct Point {
  float x = -1;
  float y = -1;

  bool visible() const noexcept { return x >= 0 && y >= 0; }
  friend bool operator==(const Point&, const Point&) = default;
};

/// A rectangle in a frame, in pixels: the columns [left, right) and the rows [top, bottom).
struct Box {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;

  friend bool operator==(const Box&, const Box&) = default;
};

}  // namespace rvm
