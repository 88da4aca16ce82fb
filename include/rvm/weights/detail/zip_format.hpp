#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <rvm/weights/detail/bytes.hpp>

// The records of a ZIP archive (PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3), with ZIP64.
namespace rvm::detail {

inline constexpr std::uint32_t kZipLocal = 0x04034b50;
inline constexpr std::uint32_t kZipCentral = 0x02014b50;
inline constexpr std::uint32_t kZipEnd = 0x06054b50;
inline constexpr std::uint32_t kZip64End = 0x06064b50;
inline constexpr std::uint32_t kZip64Locator = 0x07064b50;
inline constexpr std::uint16_t kZip64Extra = 0x0001;

inline constexpr std::size_t kZipLocalSize = 30;
inline constexpr std::size_t kZipCentralSize = 46;
inline constexpr std::size_t kZipEndSize = 22;
inline constexpr std::size_t kZip64EndSize = 56;
inline constexpr std::size_t kZip64LocatorSize = 20;

/// In place of a number that does not fit: the ZIP64 records have it.
inline constexpr std::uint16_t kZip16 = 0xffff;
inline constexpr std::uint32_t kZip32 = 0xffffffff;

inline constexpr std::uint16_t kZipStored = 0;
inline constexpr std::uint16_t kZipDeflated = 8;

/// What an archive's directory says of one member.
struct ZipMember {
  std::string name;
  std::uint16_t flags = 0;
  std::uint16_t method = kZipStored;
  std::uint32_t crc32 = 0;
  std::uint64_t compressed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;  // of the local header
  std::uint64_t limit = 0;   // where the next member, or the directory, begins
};

/// The general-purpose flags of a member of this name: whether it is UTF-8 beyond ASCII.
inline std::uint16_t zip_flags_of(const std::string& name) noexcept {
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return ascii ? 0 : 0x0800;
}

/// What local header and directory entry have in common, up to the sizes.
inline void append_zip_common(std::vector<std::byte>& out, const ZipMember& member) {
  constexpr std::uint16_t kVersion = 45;                    // ZIP64
  constexpr std::uint16_t kDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01, so that equal contents make equal files
  append_le(out, kVersion);
  append_le(out, member.flags);
  append_le(out, member.method);
  append_le(out, std::uint16_t{0});
  append_le(out, kDate);
  append_le(out, member.crc32);
}

/// The header in front of a member's bytes. The sizes are in a ZIP64 field, as numpy writes them.
inline std::vector<std::byte> zip_local_header(const ZipMember& member) {
  std::vector<std::byte> out;
  append_le(out, kZipLocal);
  append_zip_common(out, member);
  append_le(out, kZip32);
  append_le(out, kZip32);
  append_le(out, static_cast<std::uint16_t>(member.name.size()));
  append_le(out, std::uint16_t{20});
  append_text(out, member.name);
  append_le(out, kZip64Extra);
  append_le(out, std::uint16_t{16});
  append_le(out, member.size);
  append_le(out, member.compressed_size);
  return out;
}

/// Appends a member's entry in the directory.
inline void append_zip_entry(std::vector<std::byte>& out, const ZipMember& member) {
  std::vector<std::byte> wide;
  const auto narrow = [&wide](std::uint64_t value) {
    if (value < kZip32) return static_cast<std::uint32_t>(value);
    append_le(wide, value);
    return kZip32;
  };
  const std::uint32_t size = narrow(member.size);
  const std::uint32_t compressed_size = narrow(member.compressed_size);
  const std::uint32_t offset = narrow(member.offset);
  constexpr std::uint16_t kUnix = 3 << 8;
  append_le(out, kZipCentral);
  append_le(out, static_cast<std::uint16_t>(kUnix | 45));
  append_zip_common(out, member);
  append_le(out, compressed_size);
  append_le(out, size);
  append_le(out, static_cast<std::uint16_t>(member.name.size()));
  append_le(out, static_cast<std::uint16_t>(wide.empty() ? 0 : 4 + wide.size()));
  append_le(out, std::uint16_t{0});              // no comment
  append_le(out, std::uint16_t{0});              // disk
  append_le(out, std::uint16_t{0});              // binary
  append_le(out, std::uint32_t{0100644} << 16);  // rw-r--r--
  append_le(out, offset);
  append_text(out, member.name);
  if (wide.empty()) return;
  append_le(out, kZip64Extra);
  append_le(out, static_cast<std::uint16_t>(wide.size()));
  append_bytes(out, wide);
}

/// What follows a directory of `count` entries that begins at `offset`.
inline std::vector<std::byte> zip_end(std::uint64_t count, std::uint64_t size, std::uint64_t offset) {
  std::vector<std::byte> out;
  if (count >= kZip16 || size >= kZip32 || offset >= kZip32) {
    append_le(out, kZip64End);
    append_le(out, std::uint64_t{kZip64EndSize - 12});
    append_le(out, std::uint16_t{45});
    append_le(out, std::uint16_t{45});
    append_le(out, std::uint32_t{0});
    append_le(out, std::uint32_t{0});
    append_le(out, count);
    append_le(out, count);
    append_le(out, size);
    append_le(out, offset);
    append_le(out, kZip64Locator);
    append_le(out, std::uint32_t{0});
    append_le(out, offset + size);
    append_le(out, std::uint32_t{1});
  }
  const auto count16 = static_cast<std::uint16_t>(std::min<std::uint64_t>(count, kZip16));
  append_le(out, kZipEnd);
  append_le(out, std::uint16_t{0});
  append_le(out, std::uint16_t{0});
  append_le(out, count16);
  append_le(out, count16);
  append_le(out, static_cast<std::uint32_t>(std::min<std::uint64_t>(size, kZip32)));
  append_le(out, static_cast<std::uint32_t>(std::min<std::uint64_t>(offset, kZip32)));
  append_le(out, std::uint16_t{0});
  return out;
}

}  // namespace rvm::detail
