#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <rvm/weights/detail/bytes.hpp>

#include "fuzz.hpp"

namespace fuzz {

inline std::uint32_t load_be(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
  return value;
}

inline void store_be(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 4; i-- > 0; value >>= 8) bytes[at + i] = static_cast<std::uint8_t>(value);
}

/// Makes the checksums of a PNG's chunks fit, as far as there are whole chunks.
inline void sign_png(std::span<std::uint8_t> file) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kFrame = 12;  // a chunk's length, kind and checksum
  for (std::size_t at = kSignature; at + kFrame <= file.size();) {
    const std::size_t length = load_be(file, at);
    if (length > file.size() - at - kFrame) return;
    const auto covered = std::as_bytes(file.subspan(at + 4, 4 + length));
    store_be(file, at + 8 + length, rvm::detail::crc32_of(covered));
    at += kFrame + length;
  }
}

/// Changes the file as libFuzzer does, or its header's numbers; the checksums then fit, mostly.
inline std::size_t mutate_png(std::uint8_t* data, std::size_t size, std::size_t max_size, Chance& chance) {
  constexpr std::size_t kHeaderEnd = 29;
  constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
  const bool png = size >= kHeaderEnd && std::string_view(reinterpret_cast<const char*>(data), 8) == kSignature;
  if (png && chance.one_in(4)) {
    const std::size_t at = 16 + chance.below(kHeaderEnd - 16);  // width, height, bits, kind, ...
    data[at] = static_cast<std::uint8_t>(at < 24 && at % 4 != 3 ? 0 : chance.below(20));
  } else {
    size = LLVMFuzzerMutate(data, size, max_size);
  }
  if (png && !chance.one_in(8)) sign_png({data, size});
  return size;
}

}  // namespace fuzz
