#include "common/sized_source.hpp"

#include <cstdio>
#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/image/patches.hpp>

namespace rvm::examples {

std::string to_string(const FrameSize& size) {
  return std::to_string(size.height) + "x" + std::to_string(size.width);
}

std::optional<FrameSize> parse_frame_size(const std::string& text) {
  FrameSize size;
  char rest = 0;
  if (text.find_first_not_of("0123456789x") != std::string::npos ||
      std::sscanf(text.c_str(), "%5zux%5zu%c", &size.height, &size.width, &rest) != 2) {
    return std::nullopt;
  }
  const auto bad = [](std::size_t side) { return side == 0 || side % kPatchSize != 0; };
  if (bad(size.height) || bad(size.width)) return std::nullopt;
  return size;
}

SizedSource::SizedSource(const std::filesystem::path& path, const std::optional<FrameSize>& asked)
    : SizedSource(open_source(path), path.string(), asked) {}

SizedSource::SizedSource(std::unique_ptr<FrameSource> source, const std::string& name,
                         const std::optional<FrameSize>& asked)
    : source_(std::move(source)), first_(source_->next()), asked_(asked.has_value()) {
  if (!first_) throw IoError(name + ": no frames in it");
  original_size_ = {first_->height(), first_->width()};
  size_ = asked.value_or(FrameSize{nearest_whole_patches(first_->height()), nearest_whole_patches(first_->width())});
}

std::string SizedSource::notice() const {
  if (asked_ || size_ == original_size_) return {};
  return "frames of " + to_string(original_size_) + " are resized to " + to_string(size_) + ", multiples of 16";
}

std::optional<FrameView> SizedSource::next() {
  std::optional<FrameView> frame = first_ ? std::exchange(first_, std::nullopt) : source_->next();
  if (frame) original_ = *frame;
  if (!frame || size_ == original_size_) return frame;
  resizer_.resize(*frame, size_.height, size_.width, resized_);
  return resized_.view();
}

}  // namespace rvm::examples
