#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include <zlib.h>

#include <rvm/core/detail/bytes.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm::detail {

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
