#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

#include <rvm/core/error.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/zip_format.hpp>

namespace rvm::detail {

[[noreturn]] inline void zip_error(const std::string& file, std::string expected, std::string found) {
  throw WeightsError(file, {}, std::move(expected), std::move(found));
}

/// Where a ZIP archive's central directory lies.
struct ZipDirectory {
  std::uint64_t count = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
};

/// The position of the end-of-central-directory record, which a comment may follow.
inline std::size_t find_zip_end(std::span<const std::byte> bytes, const std::string& file) {
  constexpr std::size_t kMaxComment = 0xffff;
  if (bytes.size() >= kZipEndSize) {
    const std::size_t last = bytes.size() - kZipEndSize;
    const std::size_t first = last - std::min(last, kMaxComment);
    for (std::size_t at = last + 1; at-- > first;) {
      if (load_le<std::uint32_t>(bytes, at) == kZipEnd &&
          load_le<std::uint16_t>(bytes, at + 20) == bytes.size() - at - kZipEndSize) {
        return at;
      }
    }
  }
  zip_error(file, "a whole ZIP archive", "no end of its directory: the file may be cut off");
}

/// Reads the end of the archive. Throws WeightsError if it is damaged or spans several disks.
inline ZipDirectory find_zip_directory(std::span<const std::byte> bytes, const std::string& file) {
  const std::size_t end = find_zip_end(bytes, file);
  ZipDirectory directory{load_le<std::uint16_t>(bytes, end + 10), load_le<std::uint32_t>(bytes, end + 12),
                         load_le<std::uint32_t>(bytes, end + 16)};
  std::uint64_t count_here = load_le<std::uint16_t>(bytes, end + 8);
  std::uint64_t disk = load_le<std::uint16_t>(bytes, end + 4);
  std::uint64_t limit = end;
  const bool saturated = directory.count == kZip16 || directory.size == kZip32 || directory.offset == kZip32;
  if (saturated && end >= kZip64LocatorSize &&
      load_le<std::uint32_t>(bytes, end - kZip64LocatorSize) == kZip64Locator) {
    const std::size_t locator = end - kZip64LocatorSize;
    const auto at64 = load_le<std::uint64_t>(bytes, locator + 8);
    if (!in_range(at64, kZip64EndSize, locator))
      zip_error(file, "the ZIP64 directory end inside the file", "another place");
    const auto at = static_cast<std::size_t>(at64);
    if (load_le<std::uint32_t>(bytes, at) != kZip64End) zip_error(file, "a ZIP64 directory end", "other bytes");
    disk = load_le<std::uint32_t>(bytes, at + 16);
    count_here = load_le<std::uint64_t>(bytes, at + 24);
    directory = {load_le<std::uint64_t>(bytes, at + 32), load_le<std::uint64_t>(bytes, at + 40),
                 load_le<std::uint64_t>(bytes, at + 48)};
    limit = at64;
  }
  if (disk != 0 || count_here != directory.count) zip_error(file, "a ZIP archive in one piece", "one of several disks");
  if (!in_range(directory.offset, directory.size, limit)) {
    zip_error(file, "the ZIP directory inside the file", "another place: the file may be cut off");
  }
  return directory;
}

/// Replaces sizes and offset that do not fit 32 bits by those of the ZIP64 extra field.
inline void read_zip64_extra(std::span<const std::byte> extra, ZipMember& member, const std::string& file) {
  std::uint64_t* const wanted[] = {member.size == kZip32 ? &member.size : nullptr,
                                   member.compressed_size == kZip32 ? &member.compressed_size : nullptr,
                                   member.offset == kZip32 ? &member.offset : nullptr};
  while (extra.size() >= 4) {
    const auto id = load_le<std::uint16_t>(extra, 0);
    const std::size_t size = load_le<std::uint16_t>(extra, 2);
    if (size > extra.size() - 4) break;
    std::span<const std::byte> field = extra.subspan(4, size);
    extra = extra.subspan(4 + size);
    if (id != kZip64Extra) continue;
    for (std::uint64_t* const value : wanted) {
      if (value == nullptr) continue;
      if (field.size() < sizeof(*value)) zip_error(file, "whole ZIP64 sizes of " + member.name, "a field cut off");
      *value = load_le<std::uint64_t>(field, 0);
      field = field.subspan(sizeof(*value));
    }
    return;
  }
}

/// The members of an archive in the directory's order. Touches only the end of the file. Throws WeightsError if the
/// directory is damaged.
inline std::vector<ZipMember> read_zip_directory(std::span<const std::byte> bytes, const std::string& file) {
  const ZipDirectory directory = find_zip_directory(bytes, file);
  const auto entries =
      bytes.subspan(static_cast<std::size_t>(directory.offset), static_cast<std::size_t>(directory.size));
  if (directory.count > entries.size() / kZipCentralSize) {
    zip_error(file, std::to_string(directory.count) + " members",
              "a directory of " + std::to_string(entries.size()) + " bytes");
  }
  std::vector<ZipMember> members;
  members.reserve(static_cast<std::size_t>(directory.count));
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    if (entries.size() - at < kZipCentralSize || load_le<std::uint32_t>(entries, at) != kZipCentral) {
      zip_error(file, "entry " + std::to_string(i) + " of the ZIP directory", "other bytes");
    }
    const std::size_t name = load_le<std::uint16_t>(entries, at + 28);
    const std::size_t extra = load_le<std::uint16_t>(entries, at + 30);
    const std::size_t comment = load_le<std::uint16_t>(entries, at + 32);
    const std::size_t size = kZipCentralSize + name + extra + comment;
    if (size > entries.size() - at)
      zip_error(file, "entry " + std::to_string(i) + " of the ZIP directory", "a part of it");
    ZipMember member{.name = std::string(as_text(entries.subspan(at + kZipCentralSize, name))),
                     .flags = load_le<std::uint16_t>(entries, at + 8),
                     .method = load_le<std::uint16_t>(entries, at + 10),
                     .crc32 = load_le<std::uint32_t>(entries, at + 16),
                     .compressed_size = load_le<std::uint32_t>(entries, at + 20),
                     .size = load_le<std::uint32_t>(entries, at + 24),
                     .offset = load_le<std::uint32_t>(entries, at + 42)};
    read_zip64_extra(entries.subspan(at + kZipCentralSize + name, extra), member, file);
    if (!in_range(member.offset, member.compressed_size, directory.offset)) {
      zip_error(file, "member " + member.name + " before the ZIP directory", "another place");
    }
    members.push_back(std::move(member));
    at += size;
  }
  if (at != entries.size()) {
    zip_error(file, "a ZIP directory of " + std::to_string(at) + " bytes", std::to_string(entries.size()));
  }
  return members;
}

/// The member's bytes as they lie in the archive. Throws WeightsError if its local header does not agree with the
/// directory, or if it is encrypted.
inline std::span<const std::byte> zip_member_bytes(std::span<const std::byte> bytes, const ZipMember& member,
                                                   const std::string& file, const std::string& key) {
  const auto fail = [&](std::string expected, std::string found) {
    throw WeightsError(file, key, std::move(expected), std::move(found));
  };
  constexpr std::uint16_t kEncrypted = 1;
  if ((member.flags & kEncrypted) != 0) fail("a plain member", "an encrypted one");
  if (!in_range(member.offset, kZipLocalSize, bytes.size())) fail("a ZIP member", "the end of the file");
  const auto local = bytes.subspan(static_cast<std::size_t>(member.offset));
  if (load_le<std::uint32_t>(local, 0) != kZipLocal) fail("a ZIP member", "other bytes");
  const std::size_t name = load_le<std::uint16_t>(local, 26);
  const std::size_t begin = kZipLocalSize + name + load_le<std::uint16_t>(local, 28);
  if (!in_range(begin, member.compressed_size, local.size())) fail("a whole ZIP member", "the end of the file");
  if (as_text(local.subspan(kZipLocalSize, name)) != member.name)
    fail("the same name as in the ZIP directory", "another");
  return local.subspan(begin, static_cast<std::size_t>(member.compressed_size));
}

/// Unpacks a deflated member into memory of its own. Throws WeightsError if the result has not the size and the CRC
/// that the directory says.
inline std::shared_ptr<const std::byte[]> inflate_zip_member(std::span<const std::byte> packed, const ZipMember& member,
                                                             const std::string& file, const std::string& key) {
  const auto fail = [&](std::string expected, std::string found) {
    throw WeightsError(file, key, std::move(expected), std::move(found));
  };
  constexpr std::uint64_t kMaxRatio = 1032;  // deflate's: 258 bytes from 2 bits
  if (member.size / kMaxRatio > packed.size() || member.size > std::numeric_limits<std::size_t>::max()) {
    fail("a size that " + std::to_string(packed.size()) + " bytes can unpack to", std::to_string(member.size));
  }
  const auto size = static_cast<std::size_t>(member.size);
  const std::shared_ptr<std::byte[]> out(new std::byte[size + 1]);

  struct Inflater {
    z_stream stream{};
    bool ready = ::inflateInit2(&stream, -MAX_WBITS) == Z_OK;
    Inflater() = default;
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() {
      if (ready) ::inflateEnd(&stream);
    }
  } inflater;
  if (!inflater.ready) throw std::bad_alloc();

  std::size_t in = 0;
  std::size_t done = 0;
  std::uint32_t crc = 0;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    const std::size_t in_chunk = std::min(packed.size() - in, kZlibChunk);
    const std::size_t out_chunk = std::min(size - done, kZlibChunk);
    inflater.stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + in));
    inflater.stream.avail_in = static_cast<uInt>(in_chunk);
    inflater.stream.next_out = reinterpret_cast<Bytef*>(out.get() + done);
    inflater.stream.avail_out = static_cast<uInt>(out_chunk);
    status = ::inflate(&inflater.stream, Z_NO_FLUSH);
    const std::size_t consumed = in_chunk - inflater.stream.avail_in;
    const std::size_t produced = out_chunk - inflater.stream.avail_out;
    crc = crc32_of({out.get() + done, produced}, crc);
    in += consumed;
    done += produced;
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    const bool stuck = status == Z_BUF_ERROR || (status == Z_OK && consumed == 0 && produced == 0);
    if (stuck) fail(std::to_string(size) + " unpacked bytes", done == size ? "more" : std::to_string(done));
    if (status != Z_OK && status != Z_STREAM_END) fail("deflated bytes", "damaged ones");
  }
  if (done != size) fail(std::to_string(size) + " unpacked bytes", std::to_string(done));
  if (crc != member.crc32) {
    fail("CRC-32 " + std::to_string(member.crc32), std::to_string(crc) + ": the file is damaged");
  }
  return out;
}

}  // namespace rvm::detail
