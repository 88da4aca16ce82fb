#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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

}  // namespace rvm
