#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>

namespace rvm::examples {

/// Where pictures of one size go, one after the other.
class PictureSink {
 public:
  PictureSink(const PictureSink&) = delete;
  PictureSink& operator=(const PictureSink&) = delete;
  /// What has not been finished is gone, but for the pictures in a directory.
  virtual ~PictureSink() = default;

  /// Takes the next picture; floats are rounded to bytes and clipped. Throws rvm::FrameError if it has not the size of
  /// the first, rvm::IoError if it cannot be written: of a full disk early enough that finish() still succeeds.
  void write(const FrameView& picture);

  /// No more pictures come: completes the file and gives it its name. Nothing if there are no pictures, or if it has
  /// been done. Throws rvm::IoError.
  void finish();

  /// Pictures taken so far.
  std::size_t count() const noexcept { return count_; }
  /// "out.mp4: 60 pictures of 192x320", for the user.
  std::string summary() const;

 protected:
  explicit PictureSink(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  /// Takes a picture of bytes, of the first one's size.
  virtual void put(const Image& picture) = 0;
  /// After the last of at least one picture.
  virtual void close() = 0;

  std::filesystem::path path_;
  std::size_t count_ = 0;
  std::size_t height_ = 0;
  std::size_t width_ = 0;
  bool finished_ = false;
  Image bytes_;
};

/// Opens what the name says: .mp4, .gif (it loops), .png (one contact sheet: `columns` of the pictures in a row, spread
/// evenly over all), or a directory, which gets 000000.png, 000001.png, ... and may not hold pictures yet. Pictures
/// without a clock (no `fps`) are shown ten a second. Throws rvm::IoError with the reason, among others that the
/// program was built without FFmpeg.
std::unique_ptr<PictureSink> open_sink(const std::filesystem::path& path, std::optional<double> fps = std::nullopt,
                                       std::size_t columns = 6);

/// Whether open_sink makes a contact sheet of this name.
bool is_contact_sheet(const std::filesystem::path& path);

/// Runs `body`, which writes to the sink, and finishes the sink whatever happens: when `body` throws, the pictures so
/// far are kept, and the error goes on with a note of it.
void fill(PictureSink& sink, const std::function<void()>& body);

}  // namespace rvm::examples
