#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/zip_format.hpp>

namespace rvm::detail {

/// `member` is a name, or empty where it is the archive that is wrong.
[[noreturn]] inline void zip_error(const std::string& file, const std::string& member, std::string expected,
                                   std::string found) {
  throw WeightsError(file, member, std::move(expected), std::move(found));
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
  zip_error(file, {}, "a whole ZIP archive", "no end of its directory: the file may be cut off");
}

/// A number of the archive, once in few bits and once in 64. They contradict if the former is neither the latter nor
/// saturated.
inline void widen_zip_number(std::uint64_t& number, std::uint64_t saturated, std::uint64_t wide,
                             const std::string& file, const std::string& member) {
  if (number != saturated && number != wide) {
    zip_error(file, member, "ZIP64 numbers that agree with the others",
              std::to_string(wide) + " beside " + std::to_string(number));
  }
  number = wide;
}

/// Reads the end of the archive. Throws WeightsError if it is damaged, contradicts itself or spans several disks.
inline ZipDirectory find_zip_directory(std::span<const std::byte> bytes, const std::string& file) {
  std::size_t end = find_zip_end(bytes, file);
  ZipDirectory directory{load_le<std::uint16_t>(bytes, end + 10), load_le<std::uint32_t>(bytes, end + 12),
                         load_le<std::uint32_t>(bytes, end + 16)};
  std::uint64_t count_here = load_le<std::uint16_t>(bytes, end + 8);
  bool one_disk = load_le<std::uint16_t>(bytes, end + 4) == 0 && load_le<std::uint16_t>(bytes, end + 6) == 0;
  if (end >= kZip64LocatorSize && load_le<std::uint32_t>(bytes, end - kZip64LocatorSize) == kZip64Locator) {
    const std::size_t locator = end - kZip64LocatorSize;
    const auto at = load_le<std::uint64_t>(bytes, locator + 8);
    if (!in_range(at, kZip64EndSize, locator)) {
      zip_error(file, {}, "the ZIP64 directory end inside the file", "another place");
    }
    end = static_cast<std::size_t>(at);
    constexpr std::uint64_t kUncounted = 12;  // what the record's own size leaves out
    if (load_le<std::uint32_t>(bytes, end) != kZip64End ||
        load_le<std::uint64_t>(bytes, end + 4) != locator - end - kUncounted) {
      zip_error(file, {}, "a ZIP64 directory end", "other bytes");
    }
    widen_zip_number(count_here, kZip16, load_le<std::uint64_t>(bytes, end + 24), file, {});
    widen_zip_number(directory.count, kZip16, load_le<std::uint64_t>(bytes, end + 32), file, {});
    widen_zip_number(directory.size, kZip32, load_le<std::uint64_t>(bytes, end + 40), file, {});
    widen_zip_number(directory.offset, kZip32, load_le<std::uint64_t>(bytes, end + 48), file, {});
    one_disk = one_disk && load_le<std::uint32_t>(bytes, locator + 4) == 0 &&
               load_le<std::uint64_t>(bytes, end + 16) == 0 && load_le<std::uint32_t>(bytes, locator + 16) <= 1;
  }
  if (!one_disk || count_here != directory.count) {
    zip_error(file, {}, "a ZIP archive in one piece", "one of several disks");
  }
  if (!in_range(directory.offset, directory.size, end) || directory.offset + directory.size != end) {
    zip_error(file, {}, "a ZIP directory that ends at byte " + std::to_string(end),
              std::to_string(directory.size) + " bytes from " + std::to_string(directory.offset) +
                  " on: the file may be cut off");
  }
  return directory;
}

/// The ZIP64 one among a header's extra fields, if there is one.
inline std::optional<std::span<const std::byte>> find_zip64_field(std::span<const std::byte> extra,
                                                                  const std::string& file, const std::string& member) {
  constexpr std::size_t kHead = 4;
  std::optional<std::span<const std::byte>> found;
  while (extra.size() >= kHead) {
    const auto id = load_le<std::uint16_t>(extra, 0);
    const std::size_t size = load_le<std::uint16_t>(extra, 2);
    if (size > extra.size() - kHead) zip_error(file, member, "whole extra fields", "one cut off");
    if (id == kZip64Extra) {
      if (found) zip_error(file, member, "one ZIP64 field", "two");
      found = extra.subspan(kHead, size);
    }
    extra = extra.subspan(kHead + size);
  }
  return found;
}

/// Replaces numbers that do not fit 32 bits by those of the ZIP64 field: it has them alone, or all.
inline void read_zip64_numbers(std::span<const std::byte> extra, std::initializer_list<std::uint64_t*> numbers,
                               const std::string& file, const std::string& member) {
  auto field = find_zip64_field(extra, file, member).value_or(std::span<const std::byte>());
  const bool has_all = field.size() >= numbers.size() * sizeof(std::uint64_t);
  for (std::uint64_t* const number : numbers) {
    if (*number != kZip32 && !has_all) continue;
    if (field.size() < sizeof(*number)) {
      zip_error(file, member, "64-bit sizes and offset where 32 bits do not do", "a ZIP64 field without them");
    }
    widen_zip_number(*number, kZip32, load_le<std::uint64_t>(field, 0), file, member);
    field = field.subspan(sizeof(*number));
  }
  if (field.size() >= sizeof(std::uint64_t)) {
    zip_error(file, member, "64-bit sizes and offset where 32 bits do not do, and nothing more", "more");
  }
}

/// Whether the name stays below the place where an archive would be unpacked. Nothing is unpacked to files here, but an
/// archive that means to leave its place is no weight file.
inline bool is_inside(std::string_view name) noexcept {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f && c != '\\';
  });
  if (name.empty() || !plain || name.front() == '/' || (name.size() > 1 && name[1] == ':')) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return false;
    begin = end + 1;
  }
  return true;
}

/// One entry of the directory: the first of `entries`.
inline ZipMember read_zip_entry(std::span<const std::byte> entries, std::size_t& size, const std::string& file,
                                const std::string& what) {
  if (entries.size() < kZipCentralSize || load_le<std::uint32_t>(entries, 0) != kZipCentral) {
    zip_error(file, {}, what, "other bytes");
  }
  const std::size_t name = load_le<std::uint16_t>(entries, 28);
  const std::size_t extra = load_le<std::uint16_t>(entries, 30);
  size = kZipCentralSize + name + extra + load_le<std::uint16_t>(entries, 32);
  if (size > entries.size()) zip_error(file, {}, what, "a part of it");
  ZipMember member{.name = std::string(as_text(entries.subspan(kZipCentralSize, name))),
                   .flags = load_le<std::uint16_t>(entries, 8),
                   .method = load_le<std::uint16_t>(entries, 10),
                   .crc32 = load_le<std::uint32_t>(entries, 16),
                   .compressed_size = load_le<std::uint32_t>(entries, 20),
                   .size = load_le<std::uint32_t>(entries, 24),
                   .offset = load_le<std::uint32_t>(entries, 42),
                   .limit = 0};
  if (!is_inside(member.name)) zip_error(file, member.name, "a relative member name without ..", "another");
  read_zip64_numbers(entries.subspan(kZipCentralSize + name, extra),
                     {&member.size, &member.compressed_size, &member.offset}, file, member.name);
  return member;
}

/// Says of each member where it must end: where the next begins, the last where the directory does. Throws WeightsError
/// if one is longer.
inline void bound_zip_members(std::vector<ZipMember>& members, std::uint64_t directory, const std::string& file) {
  std::vector<ZipMember*> order;
  order.reserve(members.size());
  for (ZipMember& member : members) order.push_back(&member);
  std::sort(order.begin(), order.end(), [](const ZipMember* a, const ZipMember* b) { return a->offset < b->offset; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    ZipMember& member = *order[i];
    const bool last = i + 1 == order.size();
    member.limit = last ? directory : order[i + 1]->offset;
    const std::uint64_t header = kZipLocalSize + member.name.size();
    if (!in_range(member.offset, header, member.limit) ||
        !in_range(member.offset + header, member.compressed_size, member.limit)) {
      zip_error(file, member.name,
                std::to_string(member.compressed_size) + " bytes between byte " + std::to_string(member.offset) +
                    " and " + (last ? "the ZIP directory" : "member " + order[i + 1]->name),
                "no room: members overlap");
    }
  }
}

/// The members of an archive in the directory's order. Touches only the end of the file. Throws WeightsError if the
/// directory is damaged, or if members overlap or have names that lead elsewhere.
inline std::vector<ZipMember> read_zip_directory(std::span<const std::byte> bytes, const std::string& file) {
  const ZipDirectory directory = find_zip_directory(bytes, file);
  auto entries = bytes.subspan(static_cast<std::size_t>(directory.offset), static_cast<std::size_t>(directory.size));
  if (directory.count > entries.size() / kZipCentralSize) {
    zip_error(file, {}, std::to_string(directory.count) + " members",
              "a directory of " + std::to_string(entries.size()) + " bytes");
  }
  std::vector<ZipMember> members;
  members.reserve(static_cast<std::size_t>(directory.count));
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    std::size_t size = 0;
    members.push_back(read_zip_entry(entries, size, file, "entry " + std::to_string(i) + " of the ZIP directory"));
    entries = entries.subspan(size);
  }
  if (!entries.empty()) {
    zip_error(file, {}, std::to_string(directory.count) + " members in the ZIP directory",
              std::to_string(entries.size()) + " bytes more");
  }
  bound_zip_members(members, directory.offset, file);
  return members;
}

/// The member's bytes as they lie in the archive. Throws WeightsError if its local header does not agree with the
/// directory, or if it is encrypted.
inline std::span<const std::byte> zip_member_bytes(std::span<const std::byte> bytes, const ZipMember& member,
                                                   const std::string& file, const std::string& key) {
  constexpr std::uint16_t kEncrypted = 1;
  constexpr std::uint16_t kStreamed = 8;  // CRC and sizes were not known yet when the local header was written
  if ((member.flags & kEncrypted) != 0) zip_error(file, key, "a plain member", "an encrypted one");
  const auto offset = static_cast<std::size_t>(member.offset);
  const auto local = bytes.subspan(offset, static_cast<std::size_t>(member.limit) - offset);
  if (load_le<std::uint32_t>(local, 0) != kZipLocal) zip_error(file, key, "a ZIP member", "other bytes");
  const std::size_t name = load_le<std::uint16_t>(local, 26);
  const std::size_t extra = load_le<std::uint16_t>(local, 28);
  const std::size_t begin = kZipLocalSize + name + extra;
  if (!in_range(begin, member.compressed_size, local.size())) {
    zip_error(file, key, "a whole ZIP member", "one that reaches into the next");
  }
  if (as_text(local.subspan(kZipLocalSize, name)) != member.name) {
    zip_error(file, key, "the same name as in the ZIP directory", "another");
  }
  std::uint64_t packed = load_le<std::uint32_t>(local, 18);
  std::uint64_t size = load_le<std::uint32_t>(local, 22);
  read_zip64_numbers(local.subspan(kZipLocalSize + name, extra), {&size, &packed}, file, key);
  const bool streamed = (load_le<std::uint16_t>(local, 6) & kStreamed) != 0;
  const bool same_bytes =
      load_le<std::uint32_t>(local, 14) == member.crc32 && packed == member.compressed_size && size == member.size;
  if (load_le<std::uint16_t>(local, 8) != member.method || (!streamed && !same_bytes)) {
    zip_error(file, key, "the same method, CRC and sizes as in the ZIP directory", "others");
  }
  return local.subspan(begin, static_cast<std::size_t>(member.compressed_size));
}

}  // namespace rvm::detail
