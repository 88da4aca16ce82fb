#include "common/image_source.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/core/detail/text.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>

#include "common/extension.hpp"
#include "common/jpeg.hpp"
#include "common/natural_order.hpp"
#include "common/netpbm.hpp"
#include "common/picture_limits.hpp"
#include "common/stb.hpp"

namespace rvm::examples {
namespace {

class ImageSource final : public FrameSource {
 public:
  explicit ImageSource(std::vector<std::filesystem::path> paths) : paths_(std::move(paths)) {}

  std::optional<FrameView> next() override {
    if (next_ == paths_.size()) return std::nullopt;
    const std::filesystem::path& path = paths_[next_];
    Image image = load_image(path);
    if (next_ > 0 && (image.height() != image_.height() || image.width() != image_.width())) {
      throw IoError(path.string() + ": is " + size_of(image) + ", while the images before it are " + size_of(image_) +
                    "; frames must have one size");
    }
    image_ = std::move(image);
    ++next_;
    return image_.view();
  }

  std::optional<std::size_t> count() const override { return paths_.size(); }

 private:
  static std::string size_of(const Image& image) {
    return std::to_string(image.height()) + "x" + std::to_string(image.width());
  }

  std::vector<std::filesystem::path> paths_;
  std::size_t next_ = 0;
  Image image_;
};

/// A file as stb_image reads it, which takes what is beyond its end for zeros.
struct Input {
  static int read(void* user, char* to, int size) {
    auto& [rest, cut] = *static_cast<Input*>(user);
    const std::size_t count = std::min(rest.size(), static_cast<std::size_t>(size));
    if (count == 0) cut = true;
    std::copy_n(reinterpret_cast<const char*>(rest.data()), count, to);
    rest = rest.subspan(count);
    return static_cast<int>(count);
  }
  static void skip(void* user, int size) {
    auto& [rest, cut] = *static_cast<Input*>(user);
    const auto count = static_cast<std::size_t>(size);
    if (count > rest.size()) cut = true;
    rest = rest.subspan(std::min(rest.size(), count));
  }
  static int eof(void* user) { return static_cast<Input*>(user)->rest.empty() ? 1 : 0; }

  std::span<const std::byte> rest;
  bool cut = false;  // whether more was wanted than there is
};

constexpr stbi_io_callbacks kInput{Input::read, Input::skip, Input::eof};

}  // namespace

bool is_image(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 6> kExtensions{".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension_of(path)) != kExtensions.end();
}

Image load_image(const std::filesystem::path& path) {
  const MappedFile file(path);
  return decode_image(file.bytes(), path.string());
}

Image decode_image(std::span<const std::byte> file, const std::string& name) {
  if (is_jpeg(file)) return decode_jpeg(file, name);
  if (is_netpbm(file)) return decode_netpbm(file, name);
  const auto fail = [&](std::string_view reason) {
    throw IoError(name + ": cannot be read as an image: " + detail::printable(reason));  // it may quote the file
  };
  if (file.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) fail("more than 2 GiB");
  const auto* const bytes = reinterpret_cast<const stbi_uc*>(file.data());
  const auto size = static_cast<int>(file.size());
  int width = 0;
  int height = 0;
  struct Free {
    void operator()(stbi_uc* pixels) const noexcept { stbi_image_free(pixels); }
  };
  if (stbi_info_from_memory(bytes, size, &width, &height, nullptr) == 0) fail(stbi_failure_reason());
  require_possible(static_cast<std::size_t>(height), static_cast<std::size_t>(width), file.size(), name);
  Input input{file};
  const std::unique_ptr<stbi_uc, Free> decoded(
      stbi_load_from_callbacks(&kInput, &input, &width, &height, nullptr, STBI_rgb));
  if (input.cut) fail("it is cut off");
  if (!decoded) fail(stbi_failure_reason());
  if (width <= 0 || height <= 0) fail("no pixels");
  return to_rgb(FrameView(decoded.get(), static_cast<std::size_t>(height), static_cast<std::size_t>(width)));
}

std::vector<std::filesystem::path> list_images(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const bool hidden = entry.path().filename().string().starts_with('.');
      if (is_image(entry.path()) && !hidden && entry.is_regular_file()) paths.push_back(entry.path());
    }
  } catch (const std::filesystem::filesystem_error& error) {
    throw IoError(directory.string() + ": " + error.code().message());
  }
  if (paths.empty()) throw IoError(directory.string() + ": no images (jpg, jpeg, png, bmp, ppm, pgm) in it");
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return natural_less(a.filename().string(), b.filename().string()); });
  return paths;
}

std::unique_ptr<FrameSource> open_images(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return std::make_unique<ImageSource>(list_images(path));
  return std::make_unique<ImageSource>(std::vector{path});
}

}  // namespace rvm::examples
