#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>

#include <rvm/core/detail/io_error.hpp>
#include <rvm/core/error.hpp>

#if __has_include(<sys/mman.h>)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#include <fstream>
#endif

namespace rvm {

/// A file's bytes as read-only memory, paged in when touched; read whole where the system has no memory maps. The file
/// must keep its length as long as this lives. Const functions are safe to call from several threads.
class MappedFile {
 public:
  /// Throws IoError if the path cannot be opened or is no regular file. An empty file has no bytes.
  explicit MappedFile(const std::filesystem::path& path) : data_(map(path)) {}

  std::span<const std::byte> bytes() const noexcept {
    if (!data_) return {};
    return {data_.get(), data_.get_deleter().size};
  }

  /// Gives the resident pages that lie wholly inside the range back to the system; reading them again is right, only
  /// slower. A range that is not in the file is cut to it.
  void discard(std::size_t offset, std::size_t size) const noexcept {
#if __has_include(<sys/mman.h>)
    const std::size_t end = offset + std::min(size, std::numeric_limits<std::size_t>::max() - offset);
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t first = offset / page + (offset % page != 0 ? 1 : 0);
    const std::size_t last = end >= bytes().size() ? bytes().size() / page + 1 : end / page;
    if (!data_ || first >= last || first * page >= bytes().size()) return;
    void* const begin = const_cast<std::byte*>(data_.get()) + first * page;
    static_cast<void>(::madvise(begin, std::min(last * page, bytes().size()) - first * page, MADV_DONTNEED));
#else
    static_cast<void>(offset), static_cast<void>(size);
#endif
  }

 private:
  struct Unmap {
    std::size_t size;
    void operator()(const std::byte* data) const noexcept {
#if __has_include(<sys/mman.h>)
      ::munmap(const_cast<std::byte*>(data), size);
#else
      delete[] data;
#endif
    }
  };
  using Data = std::unique_ptr<const std::byte[], Unmap>;

#if __has_include(<sys/mman.h>)
  static Data map(const std::filesystem::path& path) {
    struct Descriptor {
      int value;
      ~Descriptor() {
        if (value >= 0) ::close(value);
      }
    };
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.value < 0) throw detail::io_error(path, "open");
    struct ::stat info {};
    if (::fstat(file.value, &info) != 0) throw detail::io_error(path, "inspect");
    if (S_ISDIR(info.st_mode)) throw detail::io_error(path, "read", EISDIR);
    if (!S_ISREG(info.st_mode)) throw IoError(path.string() + ": cannot map: not a regular file");
    const auto length = static_cast<std::uintmax_t>(info.st_size);
    if (length == 0) return Data(nullptr, Unmap{0});
    if (length > std::numeric_limits<std::size_t>::max()) throw detail::io_error(path, "map", EFBIG);
    const auto size = static_cast<std::size_t>(length);
    void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
    if (data == MAP_FAILED) throw detail::io_error(path, "map");
    return Data(static_cast<const std::byte*>(data), Unmap{size});
  }
#else
  static Data map(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path)) throw detail::io_error(path, "read", EISDIR);
    errno = 0;
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw detail::io_error(path, "open");
    const auto size = static_cast<std::size_t>(file.tellg());
    if (size == 0) return Data(nullptr, Unmap{0});
    std::unique_ptr<std::byte[]> bytes(new std::byte[size]);
    file.seekg(0).read(reinterpret_cast<char*>(bytes.get()), static_cast<std::streamsize>(size));
    if (!file) throw detail::io_error(path, "read");
    return Data(bytes.release(), Unmap{size});
  }
#endif

  Data data_;
};

}  // namespace rvm
