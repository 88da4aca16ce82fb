#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace rvm {

static_assert(std::endian::native == std::endian::little, "files and hashes assume a little-endian processor");

/// A 64-bit hash of bytes, the same on every machine: to tell contents apart and to notice damage, not to resist
/// forgery. Several pieces are chained through `seed`.
inline std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept {
  std::uint64_t hash = seed;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
  };
  mix(bytes.size());
  std::uint64_t word = 0;
  std::size_t i = 0;
  for (; i + sizeof(word) <= bytes.size(); i += sizeof(word)) {
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    mix(word);
  }
  if (i < bytes.size()) {
    word = 0;
    std::memcpy(&word, bytes.data() + i, bytes.size() - i);
    mix(word);
  }
  mix(0);
  return hash;
}

}  // namespace rvm
