#include "common/image_source.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>

#include "common/extension.hpp"
#include "common/natural_order.hpp"
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

std::vector<std::filesystem::path> list_images(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (is_image(entry.path()) && entry.is_regular_file()) paths.push_back(entry.path());
    }
  } catch (const std::filesystem::filesystem_error& error) {
    throw IoError(directory.string() + ": " + error.code().message());
  }
  if (paths.empty()) throw IoError(directory.string() + ": no images (jpg, jpeg, png, bmp, tga, ppm, pgm) in it");
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return natural_less(a.filename().string(), b.filename().string()); });
  return paths;
}

}  // namespace

bool is_image(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 7> kExtensions{".jpg", ".jpeg", ".png", ".bmp", ".tga", ".ppm", ".pgm"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension_of(path)) != kExtensions.end();
}

Image load_image(const std::filesystem::path& path) {
  int width = 0;
  int height = 0;
  struct Free {
    void operator()(stbi_uc* pixels) const noexcept { stbi_image_free(pixels); }
  };
  const std::unique_ptr<stbi_uc, Free> pixels(stbi_load(path.c_str(), &width, &height, nullptr, STBI_rgb));
  if (!pixels) throw IoError(path.string() + ": cannot be read as an image: " + stbi_failure_reason());
  return to_rgb(FrameView(pixels.get(), static_cast<std::size_t>(height), static_cast<std::size_t>(width)));
}

std::unique_ptr<FrameSource> open_images(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return std::make_unique<ImageSource>(list_images(path));
  return std::make_unique<ImageSource>(std::vector{path});
}

}  // namespace rvm::examples
