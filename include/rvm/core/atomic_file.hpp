#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <rvm/core/detail/io_error.hpp>
#include <rvm/core/detail/text.hpp>
#include <rvm/core/error.hpp>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace rvm {

/// Writes a file under a temporary name beside the final one and renames it when it is complete: whoever opens the
/// final name sees the old file or the whole new one, never a part, even if this process is killed in between (which
/// leaves NAME.NUMBER.tmp beside it) or the disk is full. A symbolic link of that name is replaced, not followed. Used
/// by one thread at a time. Movable.
class AtomicFile {
 public:
  /// Throws IoError if the directory cannot be written or the name is a directory's.
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path_, ignored)) throw detail::io_error(path_, "write", EISDIR);
    // With what is put behind it, a name may have 255 bytes; one that has more by itself fails here, not at the end.
    constexpr std::size_t kLongestName = 230;
    constexpr std::size_t kLongestOfAll = 255;
    std::string begin = path_.string();
    const std::size_t length = path_.filename().string().size();
    if (length > kLongestName && length <= kLongestOfAll) begin.resize(begin.size() - (length - kLongestName));
    std::random_device random;
    constexpr int kAttempts = 100;
    for (int i = 0; i < kAttempts && !file_; ++i) {
      temporary_ = detail::text(begin, '.', random(), ".tmp");
      errno = 0;
      file_.reset(std::fopen(temporary_.string().c_str(), "wbx"));
      if (!file_ && errno != EEXIST) break;
    }
    if (!file_) throw detail::io_error(path_, "create");
  }
  AtomicFile(AtomicFile&&) = default;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile() {
    if (file_) remove_temporary();
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  /// Bytes appended so far.
  std::uint64_t position() const noexcept { return position_; }

  // A closed file answers every call below with ArgumentError.

  /// Appends. Throws IoError if it fails, as do all functions below: what was written is then gone, and the file
  /// closed.
  void write(std::span<const std::byte> bytes) {
    put(bytes);
    position_ += bytes.size();
  }

  /// Replaces bytes written before. Throws ArgumentError if the range has not been written yet.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    if (offset > position_ || bytes.size() > position_ - offset) {
      throw ArgumentError(path_.string() + ": only bytes written before can be replaced");
    }
    if (std::fseek(open_file(), static_cast<long>(offset), SEEK_SET) != 0) fail("seek", errno);
    put(bytes);
    if (std::fseek(file_.get(), 0, SEEK_END) != 0) fail("seek", errno);
  }

  /// Makes the file durable and gives it its final name, replacing what was there. Closes the file.
  void commit() {
    std::FILE* const file = open_file();
    if (std::fflush(file) != 0) fail("write", errno);
#if __has_include(<unistd.h>)
    if (::fsync(::fileno(file)) != 0 && errno != EINVAL && errno != ENOTSUP) fail("write", errno);
#endif
    if (std::fclose(file_.release()) != 0) fail("write", errno);
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    if (error) fail("replace", error.value());
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  std::FILE* open_file() const {
    if (!file_) throw ArgumentError(path_.string() + ": the file is already closed");
    return file_.get();
  }

  void put(std::span<const std::byte> bytes) {
    std::FILE* const file = open_file();
    if (bytes.empty()) return;
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) fail("write", errno);
  }

  void remove_temporary() noexcept {
    file_.reset();
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }

  [[noreturn]] void fail(const std::string& what, int code) {
    remove_temporary();
    throw detail::io_error(path_, what, code);
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t position_ = 0;
};

}  // namespace rvm
