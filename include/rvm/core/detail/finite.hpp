#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace rvm::detail {

/// Whether a number is neither a NaN nor an infinity. By its bits: a host may be compiled with -ffast-math.
inline bool is_finite(float value) noexcept {
  constexpr std::uint32_t kExponent = 0x7f800000;
  return (std::bit_cast<std::uint32_t>(value) & kExponent) != kExponent;
}

/// Whether a number is a NaN.
inline bool is_nan(float value) noexcept {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  return (std::bit_cast<std::uint32_t>(value) & 0x7fffffff) > kInfinity;
}

/// Whether all of n numbers are. Some tens of microseconds for a state of 100,000.
inline bool all_finite(const float* values, std::size_t n) noexcept {
  std::uint32_t others = 0;
  for (std::size_t i = 0; i < n; ++i) others |= static_cast<std::uint32_t>(!is_finite(values[i]));
  return others == 0;
}

}  // namespace rvm::detail
