#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <zlib.h>

#include <rvm/core/dtype.hpp>
#include <rvm/core/tensor.hpp>

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

/// Bytes of an array, or nothing if the number does not fit std::size_t.
constexpr std::optional<std::size_t> byte_size(const Shape& shape, DType dtype) noexcept {
  std::size_t size = size_of(dtype);
  for (const std::size_t extent : shape) {
    if (extent != 0 && size > std::numeric_limits<std::size_t>::max() / extent) return std::nullopt;
    size *= extent;
  }
  return size;
}

/// zlib counts in 32 bits: the most bytes to give it at once.
inline constexpr std::size_t kZlibChunk = std::size_t{1} << 30;

/// CRC-32 of the bytes, continued from `crc`.
inline std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept {
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t n = std::min(bytes.size() - done, kZlibChunk);
    const auto* const data = reinterpret_cast<const Bytef*>(bytes.data() + done);
    crc = static_cast<std::uint32_t>(::crc32(crc, data, static_cast<uInt>(n)));
    done += n;
  }
  return crc;
}

}  // namespace rvm::detail
