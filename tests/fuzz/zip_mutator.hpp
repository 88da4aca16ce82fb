#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zlib.h>

#include <rvm/core/error.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/inflater.hpp>
#include <rvm/weights/detail/zip_format.hpp>
#include <rvm/weights/detail/zip_reader.hpp>

#include "fuzz.hpp"
#include "npy_mutator.hpp"

namespace fuzz {

using rvm::detail::ZipMember;

/// A member and the .npy file in it, or what is there instead.
struct Packed {
  ZipMember member;
  Bytes npy;
};

/// The members that can be read. Empty if the archive cannot.
inline std::vector<Packed> members_of(const Bytes& archive) {
  std::vector<Packed> out;
  try {
    const std::string file = kName;
    for (const ZipMember& member : rvm::detail::read_zip_directory(archive, file)) {
      const auto raw = rvm::detail::zip_member_bytes(archive, member, file, member.name);
      Packed packed{member, {raw.begin(), raw.end()}};
      constexpr std::uint64_t kMost = 1 << 16;
      if (member.method == rvm::detail::kZipDeflated && member.size <= kMost) {
        rvm::detail::Inflater inflater(raw, member, file, member.name);
        packed.npy.resize(static_cast<std::size_t>(member.size));
        inflater.read(packed.npy);
      }
      out.push_back(std::move(packed));
    }
  } catch (const rvm::Error&) {
  }
  return out;
}

inline Bytes deflated(const Bytes& bytes) {
  z_stream stream{};
  constexpr int kSmallWindow = -9;
  require(::deflateInit2(&stream, 1, Z_DEFLATED, kSmallWindow, 1, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(::deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  require(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return out;
}

/// One number of what a header says becomes another.
inline ZipMember lying(ZipMember member, Chance& chance) {
  switch (chance.below(6)) {
    case 0: member.size = chance.number(member.size); break;
    case 1: member.compressed_size = chance.number(member.compressed_size); break;
    case 2: member.offset = chance.number(member.offset); break;
    case 3: member.crc32 ^= static_cast<std::uint32_t>(chance.bits()); break;
    case 4: member.method = static_cast<std::uint16_t>(chance.number(member.method)); break;
    default: member.flags = static_cast<std::uint16_t>(chance.number(member.flags));
  }
  return member;
}

/// An entry of the directory whose numbers are all in a ZIP64 field, or in one that is not quite right.
inline void append_wide_entry(Bytes& out, const ZipMember& member, Chance& chance) {
  using rvm::detail::append_le;
  ZipMember narrow = member;
  const bool saturated = chance.one_in(2);
  if (saturated) narrow.size = narrow.compressed_size = narrow.offset = 0;
  Bytes entry;
  rvm::detail::append_zip_entry(entry, narrow);
  constexpr std::size_t kExtraLength = 30;
  if (entry.size() != rvm::detail::kZipCentralSize + member.name.size()) {
    rvm::detail::append_bytes(out, entry);
    return;
  }
  if (saturated) {
    for (const std::size_t at : {std::size_t{20}, std::size_t{24}, std::size_t{42}}) {
      for (std::size_t i = 0; i < 4; ++i) entry[at + i] = std::byte{0xff};
    }
  }
  Bytes field;
  append_le(field, rvm::detail::kZip64Extra);
  const std::size_t numbers = chance.one_in(4) ? chance.below(5) : 3;
  append_le(field, static_cast<std::uint16_t>(8 * numbers));
  for (const std::uint64_t number : {member.size, member.compressed_size, member.offset, std::uint64_t{0}}) {
    if (field.size() < 4 + 8 * numbers) append_le(field, chance.one_in(8) ? chance.number(number) : number);
  }
  if (chance.one_in(16)) field.insert(field.end(), field.begin(), field.end());
  entry[kExtraLength] = static_cast<std::byte>(field.size());
  entry[kExtraLength + 1] = std::byte{0};
  rvm::detail::append_bytes(out, entry);
  rvm::detail::append_bytes(out, field);
}

/// A ZIP archive of the members, in which a thing or two is not true.
inline Bytes archive_of(const std::vector<Packed>& members, Chance& chance) {
  Bytes out;
  Bytes directory;
  for (const Packed& packed : members) {
    const bool pack = packed.member.method == rvm::detail::kZipDeflated;
    const Bytes raw = pack ? deflated(packed.npy) : packed.npy;
    ZipMember member = packed.member;
    member.crc32 = rvm::detail::crc32_of(packed.npy);
    member.size = packed.npy.size();
    member.compressed_size = raw.size();
    member.offset = out.size();
    const auto told = [&] { return chance.one_in(12) ? lying(member, chance) : member; };
    if (chance.one_in(40)) {
      member.offset = 0;  // an entry that shares the first local header
    } else {
      rvm::detail::append_bytes(out, rvm::detail::zip_local_header(told()));
      rvm::detail::append_bytes(out, raw);
    }
    if (chance.one_in(6)) {
      append_wide_entry(directory, told(), chance);
    } else {
      rvm::detail::append_zip_entry(directory, told());
    }
  }
  const std::uint64_t offset = out.size();
  rvm::detail::append_bytes(out, directory);
  const auto told = [&](std::uint64_t number) { return chance.one_in(24) ? chance.number(number) : number; };
  rvm::detail::append_bytes(out, rvm::detail::zip_end(told(members.size()), told(directory.size()), told(offset)));
  return out;
}

/// Another archive: a member is changed, renamed, packed otherwise, doubled, moved or left out, and then all is put
/// together again so that sizes and checksums fit, mostly.
inline Bytes mutated_npz(const Bytes& archive, std::size_t most, Chance& chance) {
  constexpr std::array<std::string_view, 8> kNames{"a.npy",         "a", "../a.npy", "/a.npy",
                                                   "b/../../a.npy", "",  "C:a",      "b.npy"};
  std::vector<Packed> members = members_of(archive);
  if (members.empty()) return mutated(archive, most);
  Packed& one = members[chance.below(members.size())];
  switch (chance.below(7)) {
    case 0: one.member.name = std::string(chance.pick(kNames)); break;
    case 1: one.member.method ^= rvm::detail::kZipDeflated; break;
    case 2: members.push_back(Packed(one)); break;
    case 3: std::swap(one, members.back()); break;
    case 4: members.pop_back(); break;
    case 5: one.npy = mutated(one.npy, most / 2); break;
    default: one.npy = mutated_npy(one.npy, most / 2, chance);
  }
  return archive_of(members, chance);
}

}  // namespace fuzz
