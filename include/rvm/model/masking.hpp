#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/detail/split_mix.hpp>
#include <rvm/core/error.hpp>
#include <rvm/image/frame.hpp>

namespace rvm {

/// A frame of which only some patches are shown: what masked reconstruction is asked to fill in (spec, section 4).
struct MaskedFrame {
  FrameView frame;                   // of the source's size; what is masked is never read
  std::size_t offset = 0;            // frames from the last source frame to this one, 0 .. 63
  std::vector<std::size_t> visible;  // the patches that are shown, row * w + column, each once, in any order
};

/// The share of patches that is masked in the published model's training.
inline constexpr double kMaskedRatio = 0.95;

/// Which of `patches` patches to show when `masked_ratio` of them, in [0, 1], are masked: floor(patches * (1 -
/// masked_ratio)) different ones, ascending, drawn at random. The same arguments give the same patches on every
/// machine. Throws ArgumentError if the ratio is not in [0, 1].
inline std::vector<std::size_t> draw_visible(std::size_t patches, double masked_ratio, std::uint64_t seed) {
  if (!(masked_ratio >= 0 && masked_ratio <= 1)) {
    throw ArgumentError("the ratio of masked patches must be in [0, 1], found " + std::to_string(masked_ratio));
  }
  // Of ten patches, 90 % masked, one is shown: that 1 - 0.9 is a little less than 0.1 must not lose it.
  constexpr double kRounding = 1e-9;
  const auto count =
      static_cast<std::size_t>(std::floor(static_cast<double>(patches) * (1 - masked_ratio) + kRounding));

  detail::SplitMix64 random(seed);
  std::vector<std::size_t> drawn(patches);
  std::iota(drawn.begin(), drawn.end(), std::size_t{0});
  for (std::size_t i = 0; i < count; ++i) std::swap(drawn[i], drawn[i + random.below(patches - i)]);
  drawn.resize(count);
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

}  // namespace rvm
