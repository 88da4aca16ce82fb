#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rvm/weights/detail/zip_format.hpp>
#include <rvm/weights/npy_header.hpp>

namespace test {

/// A .npy file of two floats.
inline std::vector<std::byte> npy_of(float a, float b) {
  std::vector<std::byte> out = rvm::npy_header(rvm::DType::kFloat32, {2});
  const std::array<float, 2> values{a, b};
  rvm::detail::append_bytes(out, std::as_bytes(std::span(values)));
  return out;
}

/// A ZIP archive made by hand: what is said of a member need not be true.
class Archive {
 public:
  /// A member whose local header and directory entry say the same.
  Archive& add(rvm::detail::ZipMember member, std::span<const std::byte> data) {
    member.offset = bytes_.size();
    return add(member, member, data);
  }
  /// A member of which they say different things, the offset included.
  Archive& add(const rvm::detail::ZipMember& local, const rvm::detail::ZipMember& entry,
               std::span<const std::byte> data) {
    rvm::detail::append_bytes(bytes_, rvm::detail::zip_local_header(local));
    rvm::detail::append_bytes(bytes_, data);
    return add_entry(entry);
  }
  /// An entry of the directory alone.
  Archive& add_entry(const rvm::detail::ZipMember& entry) {
    rvm::detail::append_zip_entry(directory_, entry);
    ++count_;
    return *this;
  }

  /// Where the next member begins.
  std::size_t position() const { return bytes_.size(); }

  std::vector<std::byte> finish(std::uint64_t count_error = 0, std::uint64_t size_error = 0,
                                std::uint64_t offset_error = 0) const {
    std::vector<std::byte> out = bytes_;
    rvm::detail::append_bytes(out, directory_);
    rvm::detail::append_bytes(
        out, rvm::detail::zip_end(count_ + count_error, directory_.size() + size_error, bytes_.size() + offset_error));
    return out;
  }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::byte> directory_;
  std::uint64_t count_ = 0;
};

/// What a right directory says of a stored member.
inline rvm::detail::ZipMember stored(const std::string& name, std::span<const std::byte> data) {
  return {.name = name,
          .flags = 0,
          .method = 0,
          .crc32 = rvm::detail::crc32_of(data),
          .compressed_size = data.size(),
          .size = data.size(),
          .offset = 0,
          .limit = 0};
}

/// The bytes as one stored block of deflate: final, length, its complement, the bytes.
inline std::vector<std::byte> deflated(std::span<const std::byte> bytes) {
  std::vector<std::byte> out{std::byte{1}};
  rvm::detail::append_le(out, static_cast<std::uint16_t>(bytes.size()));
  rvm::detail::append_le(out, static_cast<std::uint16_t>(~bytes.size()));
  rvm::detail::append_bytes(out, bytes);
  return out;
}

/// What a right directory says of a member of `data`, deflated() to `packed`.
inline rvm::detail::ZipMember packed_member(const std::string& name, std::span<const std::byte> data,
                                            std::span<const std::byte> packed) {
  rvm::detail::ZipMember member = stored(name, data);
  member.method = rvm::detail::kZipDeflated;
  member.compressed_size = packed.size();
  return member;
}

}  // namespace test
