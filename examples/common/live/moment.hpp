#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <rvm/image/image.hpp>
#include <rvm/image/point.hpp>

namespace rvm::examples {

/// A point that is tracked: where it is, in pixels of the frame, and where it was.
struct TrackedPoint {
  std::size_t id = 0;  // counted from 0; gives it its colour
  bool seen = false;   // else `place` is where it was seen last
  Point place;
  std::vector<Point> trail;  // oldest first, `place` last
};

/// All that the page shows at one time.
struct Moment {
  std::uint64_t step = 0;    // frames taken by this program, which tells pictures apart
  std::uint64_t frames = 0;  // frames that the state has seen
  double milliseconds = 0;   // that the last frame took, from its pixels to its colours and points
  double rate = 0;           // frames per second of late
  double norm = 0;           // of the state: the root of the sum of its squares
  Image frame;               // what the model was given, RGB bytes; empty before the first
  Image colours;             // of its features, RGB bytes, a pixel a patch
  std::vector<TrackedPoint> points;

  std::string status;      // "playing", "paused" or "ended"
  std::string notice;      // a line for the user; empty if there is none
  std::string source;      // what is played
  std::string state_file;  // where states are saved; empty if the browser keeps them
};

/// A moment as it goes to the browser: the length of the JSON part in 4 bytes, little-endian; the JSON part, which has
/// the lengths of what follows; the frame as JPEG; the colours as PNG. `serial` tells it from other moments.
std::string encode(const Moment& moment, std::uint64_t serial);

}  // namespace rvm::examples
