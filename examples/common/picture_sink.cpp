#include "common/picture_sink.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/error.hpp>

#include "common/even_sample.hpp"
#include "common/extension.hpp"
#include "common/image_source.hpp"
#include "common/montage.hpp"
#include "common/picture.hpp"
#include "common/video_sink.hpp"

namespace rvm::examples {
namespace {

constexpr double kDefaultFps = 10;

std::string size_text(std::size_t height, std::size_t width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

class PngDirectory final : public PictureSink {
 public:
  explicit PngDirectory(const std::filesystem::path& path) : PictureSink(path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) throw IoError(path.string() + ": cannot create the directory: " + error.message());
    std::filesystem::directory_iterator entries(path, error);
    if (error) throw IoError(path.string() + ": " + error.message());
    for (const auto& entry : entries) {
      if (!is_image(entry.path())) continue;
      throw IoError(path.string() + ": holds pictures already, such as " + entry.path().filename().string() +
                    "; name a new or an empty directory");
    }
  }

 private:
  void put(const Image& picture) override {
    char name[32];
    std::snprintf(name, sizeof name, "%06zu.png", count());
    save_png(path() / name, picture);
  }
  void close() override {}
};

class ContactSheet final : public PictureSink {
 public:
  ContactSheet(const std::filesystem::path& path, std::size_t columns) : PictureSink(path), sample_(columns) {
    AtomicFile probe(path);  // a name that cannot be written is refused before the work is done
  }

 private:
  void put(const Image& picture) override {
    if (sample_.wants(count())) sample_.add(picture);
  }
  void close() override { save_png(path(), side_by_side(sample_.take())); }

  EvenSample<Image> sample_;
};

}  // namespace

void PictureSink::write(const FrameView& picture) {
  if (finished_) throw ArgumentError(path_.string() + ": no more pictures can be written");
  if (count_ > 0 && (picture.height() != height_ || picture.width() != width_)) {
    throw FrameError(path_.string() + ": expected a picture of " + size_text(height_, width_) +
                     " as those before it, found " + size_text(picture.height(), picture.width()));
  }
  to_bytes(picture, bytes_);
  put(bytes_);
  ++count_;
  height_ = picture.height();
  width_ = picture.width();
}

void PictureSink::finish() {
  if (std::exchange(finished_, true) || count_ == 0) return;
  try {
    close();
  } catch (...) {
    count_ = 0;
    throw;
  }
}

std::string PictureSink::summary() const {
  return path_.string() + ": " + std::to_string(count_) + (count_ == 1 ? " picture" : " pictures") +
         (count_ == 0 ? "" : " of " + size_text(height_, width_));
}

std::unique_ptr<PictureSink> open_sink(const std::filesystem::path& path, std::optional<double> fps,
                                       std::size_t columns) {
  if (columns == 0) throw ArgumentError("a contact sheet needs at least one column");
  if (fps && !(std::isfinite(*fps) && *fps > 0)) throw ArgumentError("a video needs more than no pictures a second");
  const std::string extension = extension_of(path);
  if (!path.has_filename() || extension.empty() || std::filesystem::is_directory(path)) {
    return std::make_unique<PngDirectory>(path);
  }
  if (extension == ".mp4" || extension == ".gif") return open_video_sink(path, fps.value_or(kDefaultFps));
  if (is_contact_sheet(path)) return std::make_unique<ContactSheet>(path, columns);
  throw IoError(path.string() + ": expected the name of a .mp4, a .gif, a .png or a directory (" + path.string() +
                "/), found " + extension);
}

bool is_contact_sheet(const std::filesystem::path& path) {
  return extension_of(path) == ".png" && !std::filesystem::is_directory(path);
}

void fill(PictureSink& sink, const std::function<void()>& body) {
  const auto keep = [&](const std::string& reason) {
    std::string kept = "nothing is written";
    try {
      sink.finish();
      if (sink.count() > 0) kept = "kept " + sink.summary();
    } catch (const std::exception&) {
      // The reason that came first is the one to tell.
    }
    throw Error(reason + "; " + kept);
  };
  try {
    body();
  } catch (const std::bad_alloc&) {
    keep("out of memory");
  } catch (const std::exception& error) {
    keep(error.what());
  }
  sink.finish();
}

}  // namespace rvm::examples
