#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <utility>

#include <zlib.h>

#include <rvm/core/error.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/zip_format.hpp>
#include <rvm/weights/limits.hpp>

namespace rvm::detail {

/// Unpacks a deflated member of a ZIP archive piece by piece, never more than is asked for. What it refers to must
/// outlive it. Its functions throw WeightsError if the member is not what the archive's directory says.
class Inflater {
 public:
  /// Throws too if so few bytes cannot become so many, or std::bad_alloc.
  Inflater(std::span<const std::byte> packed, const ZipMember& member, const std::string& file, const std::string& key)
      : packed_(packed), member_(member), file_(file), key_(key) {
    if (member.size / kDeflateLimit > packed.size()) {
      fail("a size that " + std::to_string(packed.size()) + " bytes can unpack to", std::to_string(member.size));
    }
    if (::inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream_); }

  /// Fills `out` with the bytes that come next.
  void read(std::span<std::byte> out) {
    if (unpack(out) != out.size()) fail(size() + " unpacked bytes", std::to_string(done_));
  }

  /// Makes sure that nothing more comes, and that what came has the directory's CRC.
  void finish() {
    std::byte more{};
    if (unpack({&more, 1}) != 0) fail(size() + " unpacked bytes", "more");
    if (!ended_ || !packed_.empty()) fail("deflated bytes that end with the member", "others");
    if (crc_ != member_.crc32) {
      fail("CRC-32 " + std::to_string(member_.crc32), std::to_string(crc_) + ": the file is damaged");
    }
  }

 private:
  [[noreturn]] void fail(std::string expected, std::string found) const {
    throw WeightsError(file_, key_, std::move(expected), std::move(found));
  }
  std::string size() const { return std::to_string(member_.size); }

  // Returns how many bytes came: fewer than `out` takes only where the packed bytes end.
  std::size_t unpack(std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size() && !ended_) {
      const std::size_t in_chunk = std::min(packed_.size(), kZlibChunk);
      const std::size_t out_chunk = std::min(out.size() - done, kZlibChunk);
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed_.data()));
      stream_.avail_in = static_cast<uInt>(in_chunk);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream_.avail_out = static_cast<uInt>(out_chunk);
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      const std::size_t produced = out_chunk - stream_.avail_out;
      crc_ = crc32_of(out.subspan(done, produced), crc_);
      packed_ = packed_.subspan(in_chunk - stream_.avail_in);
      done += produced;
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status == Z_BUF_ERROR) break;  // all bytes are read, and none ended the stream
      if (status != Z_OK && status != Z_STREAM_END) fail("deflated bytes", "damaged ones");
      ended_ = status == Z_STREAM_END;
    }
    done_ += done;
    return done;
  }

  std::span<const std::byte> packed_;  // what is left of them
  const ZipMember& member_;
  const std::string& file_;
  const std::string& key_;
  z_stream stream_{};
  std::uint64_t done_ = 0;
  std::uint32_t crc_ = 0;
  bool ended_ = false;
};

}  // namespace rvm::detail
