#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <rvm/image/lanczos.hpp>

#include "common/frame_size.hpp"
#include "common/frame_source.hpp"

namespace rvm::examples {

/// A source whose frames the model can take: as they are when both sides are multiples of 16, else resized to the
/// nearest ones; or resized to the size asked for. Resizing is Lanczos.
class SizedSource {
 public:
  /// Opens `path` and reads its first frame. Throws rvm::IoError as open_source, or if there is no frame.
  SizedSource(const std::filesystem::path& path, const std::optional<FrameSize>& asked);
  /// The same of a source that is open already; `name` is what errors call it.
  SizedSource(std::unique_ptr<FrameSource> source, const std::string& name, const std::optional<FrameSize>& asked);

  /// What next() gives.
  const FrameSize& size() const noexcept { return size_; }
  /// What the file holds.
  const FrameSize& original_size() const noexcept { return original_size_; }
  /// A line for the user if frames are resized without having been asked to; else empty.
  std::string notice() const;

  /// As FrameSource's.
  std::optional<FrameView> next();
  /// What the frame that next() gave last was before it was resized; valid as long.
  const FrameView& original() const noexcept { return original_; }
  std::optional<std::size_t> count() const { return source_->count(); }
  std::optional<double> fps() const { return source_->fps(); }
  std::string warning() const { return source_->warning(); }

 private:
  std::unique_ptr<FrameSource> source_;
  std::optional<FrameView> first_;
  FrameView original_;
  bool asked_;
  FrameSize original_size_;
  FrameSize size_;
  Resizer resizer_;
  Image resized_;
};

}  // namespace rvm::examples
