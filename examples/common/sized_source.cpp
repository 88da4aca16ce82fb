#include "common/sized_source.hpp"

#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/image/patches.hpp>

namespace rvm::examples {

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
