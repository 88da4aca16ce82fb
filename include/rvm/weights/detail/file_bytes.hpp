#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <rvm/core/mapped_file.hpp>

namespace rvm::detail {

/// What a weight file holds: mapped, or in memory. Cheap to copy; safe to read from several threads.
class FileBytes {
 public:
  /// Throws IoError as MappedFile does.
  explicit FileBytes(const std::filesystem::path& path) : mapped_(std::make_shared<const MappedFile>(path)) {
    bytes_ = mapped_->bytes();
    owner_ = mapped_;
  }
  explicit FileBytes(std::vector<std::byte> bytes) {
    const auto held = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    bytes_ = *held;
    owner_ = held;
  }

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Keeps the bytes alive.
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

  /// Gives the pages of a mapped range back, as MappedFile::discard; memory stays.
  void discard(std::size_t offset, std::size_t size) const noexcept {
    if (mapped_) mapped_->discard(offset, size);
  }

 private:
  std::shared_ptr<const MappedFile> mapped_;  // null in memory
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace rvm::detail
