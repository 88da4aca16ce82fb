#pragma once

#include <cstdint>
#include <limits>

namespace rvm::detail {

// SplitMix64: 64 random bits at a time, the same on every machine, no library function of the platform in between.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  // One of 0 .. n - 1, each as likely as the others; n is not 0.
  std::uint64_t below(std::uint64_t n) noexcept {
    const std::uint64_t whole = std::numeric_limits<std::uint64_t>::max() / n * n;
    std::uint64_t bits = next();
    while (bits >= whole) bits = next();
    return bits % n;
  }

 private:
  std::uint64_t state_;
};

}  // namespace rvm::detail
