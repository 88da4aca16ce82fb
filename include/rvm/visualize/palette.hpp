#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace rvm {

/// Red, green and blue.
using Colour = std::array<std::uint8_t, 3>;

/// The colour of a label in the palette of PASCAL VOC, DAVIS and VIP: black for 0, then dark red, green, olive, ... The
/// bits of the label, three at a time, become the highest bits of red, green and blue.
constexpr Colour label_colour(std::uint8_t label) noexcept {
  Colour colour{};
  for (unsigned bit = 0, rest = label; rest != 0; ++bit, rest >>= 3) {
    for (unsigned c = 0; c < 3; ++c) colour[c] = static_cast<std::uint8_t>(colour[c] | (rest >> c & 1U) << (7 - bit));
  }
  return colour;
}

/// Bright colours to tell things apart by, such as points and clusters, of any number: hues a golden angle apart in
/// OKLCH, by turns light, dark and in between.
inline Colour distinct_colour(std::size_t index) noexcept {
  constexpr double kGoldenAngle = 2 * std::numbers::pi * (2 - std::numbers::phi);
  constexpr std::array<double, 3> kLightness{0.70, 0.55, 0.86};
  constexpr double kChroma = 0.19;
  constexpr double kFirstHue = 0.5;  // a red
  const double hue = kFirstHue + kGoldenAngle * static_cast<double>(index % 1000);
  const double lightness = kLightness[index % kLightness.size()];
  const double a = kChroma * std::cos(hue);
  const double b = kChroma * std::sin(hue);
  const auto cube = [](double x) { return x * x * x; };
  const double l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
  // Linear light to sRGB, clipped.
  const auto byte = [](double x) {
    const double y = x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(255 * std::clamp(y, 0.0, 1.0) + 0.5);
  };
  return {byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

}  // namespace rvm
