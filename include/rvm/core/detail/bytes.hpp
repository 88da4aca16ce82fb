#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace rvm::detail {

static_assert(std::endian::native == std::endian::little, "arrays in files are little-endian and used as they are");

/// Whether [offset, offset + size) lies inside [0, total); no sum overflows.
constexpr bool in_range(std::uint64_t offset, std::uint64_t size, std::uint64_t total) noexcept {
  return offset <= total && size <= total - offset;
}

/// The little-endian number at `offset`, which must be in range.
template <std::unsigned_integral T>
T load_le(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[offset + i]);
  return static_cast<T>(value);
}

/// Appends bytes. Not inlined: GCC 12 then warns of an overflow where none can be.
[[gnu::noinline]] inline void append_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  if (!bytes.empty()) std::memcpy(out.data() + at, bytes.data(), bytes.size());
}

/// Appends a little-endian number.
template <std::unsigned_integral T>
void append_le(std::vector<std::byte>& out, T value) {
  append_bytes(out, std::as_bytes(std::span(&value, 1)));
}

/// Appends the characters.
inline void append_text(std::vector<std::byte>& out, std::string_view text) {
  append_bytes(out, std::as_bytes(std::span(text)));
}

/// The characters behind bytes.
inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace rvm::detail
