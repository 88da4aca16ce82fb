#include "common/datasets/dataset.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>

#include <rvm/core/detail/io_error.hpp>
#include <rvm/core/error.hpp>

#include "common/image_source.hpp"
#include "common/json.hpp"
#include "common/program.hpp"

namespace rvm::examples {

SequenceFeatures::SequenceFeatures(const std::filesystem::path& frames, const FrameSize& size, AnyStream& stream,
                                   Progress& progress)
    : path_(frames), source_(frames, size), stream_(stream), progress_(progress) {
  stream_.reset();
}

TensorView<const float> SequenceFeatures::next() {
  if (interrupted()) throw Interrupted();
  const std::optional<FrameView> frame = source_.next();
  if (!frame) throw IoError(path_.string() + ": ended before the truth does");
  const TensorView<const float> features = stream_.step(*frame).tokens();
  progress_.advance();
  return features;
}

std::string figure_text(double figure, int digits) {
  if (std::isnan(figure)) return "nan";  // whatever its sign
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, figure);
  return text.data();
}

std::string figure_text(const nlohmann::json& figures, const std::string& key, int digits) {
  return figure_text(number_at(figures, key), digits);
}

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    constexpr const char* kBlanks = " \t\r";
    line.erase(0, line.find_first_not_of(kBlanks));
    line.erase(line.find_last_not_of(kBlanks) + 1);
    if (!line.empty()) lines.push_back(line);
  }
  if (!file.eof()) throw rvm::detail::io_error(path, "read", errno != 0 ? errno : EIO);
  return lines;
}

std::vector<std::filesystem::path> masks_of(const std::filesystem::path& frames, const std::filesystem::path& masks) {
  const std::vector<std::filesystem::path> images = list_images(frames);
  const std::vector<std::filesystem::path> truth = list_images(masks);
  for (std::size_t t = 0; t < std::max(images.size(), truth.size()); ++t) {
    if (t < images.size() && t < truth.size() && images[t].stem() == truth[t].stem()) continue;
    const bool extra = t >= images.size() || (t < truth.size() && truth[t].stem() < images[t].stem());
    throw IoError(extra ? truth[t].string() + ": a mask of no frame" : images[t].string() + ": a frame without a mask");
  }
  return truth;
}

}  // namespace rvm::examples
