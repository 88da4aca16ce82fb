#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/point.hpp>
#include <rvm/tracking/metrics/pck.hpp>
#include <rvm/tracking/point_tracker.hpp>

#include "common/datasets/dataset.hpp"
#include "common/json.hpp"
#include "common/mat_file.hpp"
#include "common/natural_order.hpp"

namespace rvm::examples {
namespace {

constexpr std::size_t kJoints = 15;

/// {"PCK@0.1": 45.2, ...}, in percent.
nlohmann::json to_json(const Pck& pck) {
  nlohmann::json figures;
  const std::vector<double> percent = pck.percent();
  for (std::size_t i = 0; i < percent.size(); ++i) {
    figures["PCK@" + figure_text(pck.thresholds()[i], 1)] = percent[i];
  }
  return figures;
}

/// A video's true joints, [T, 15]: pixels counted from 0, where MATLAB counts from 1.
std::vector<Point> read_joints(const std::filesystem::path& path) {
  const Tensor<double> file = read_mat_array(path, "pos_img");
  const Shape& shape = file.shape();
  const std::size_t rank = shape.rank();
  if (rank < 2 || rank > 3 || shape[rank - 1] != 2 || shape[rank - 2] != kJoints || file.empty()) {
    std::string found;  // as MATLAB orders the axes
    for (std::size_t i = rank; i > 0; --i) found += (found.empty() ? "" : ", ") + std::to_string(shape[i - 1]);
    throw IoError(path.string() + ": expected pos_img [2, 15, T], found [" + found + "]");
  }
  std::vector<Point> joints(file.size() / 2);
  for (std::size_t i = 0; i < joints.size(); ++i) {
    joints[i] = {static_cast<float>(file.data()[2 * i] - 1), static_cast<float>(file.data()[2 * i + 1] - 1)};
  }
  return joints;
}

class Jhmdb final : public Dataset {
 public:
  explicit Jhmdb(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::vector<std::string> sequences() const override {
    constexpr std::string_view kList = "_test_split1.txt";
    std::vector<std::string> names;
    for (const std::filesystem::path& list : files_in(directory_ / "splits")) {
      const std::string name = list.filename().string();
      if (!name.ends_with(kList) || name.starts_with('.')) continue;
      const std::string action = name.substr(0, name.size() - kList.size());
      for (const std::string& line : read_lines(list)) {
        const std::size_t blank = line.find_last_of(" \t");
        if (blank == std::string::npos || line.find_first_not_of("012", blank + 1) != std::string::npos) {
          throw IoError(list.string() + ": expected lines \"VIDEO.avi 2\", found \"" + line + "\"");
        }
        const std::string video = line.substr(0, line.find_last_not_of(" \t", blank) + 1);
        if (line.substr(blank + 1) == "2") names.push_back(action + "/" + std::filesystem::path(video).stem().string());
      }
    }
    return names;
  }

  std::filesystem::path frames(const std::string& sequence) const override {
    return directory_ / "Rename_Images" / sequence;
  }

  nlohmann::json evaluate(const std::string& sequence, const Protocol& protocol, AnyStream& stream,
                          Progress& progress) const override {
    const std::vector<Point> truth = read_joints(directory_ / "joint_positions" / sequence / "joint_positions.mat");
    SequenceFeatures features(frames(sequence), protocol.size, stream, progress);
    const std::size_t count = truth.size() / kJoints;  // frames without joints, at the end, are of no use
    if (features.count() < count) {
      throw IoError(frames(sequence).string() + ": has " + std::to_string(features.count()) + " frames, while " +
                    std::to_string(count) + " have joints");
    }
    const FrameSize& size = features.original_size();
    const auto joints_of = [&](std::size_t t) { return std::span(truth).subspan(t * kJoints, kJoints); };
    PointTracker tracker(features.next(), joints_of(0), size.height, size.width, protocol.propagation);
    Pck pck(kJoints);
    for (std::size_t t = 1; t < count; ++t) pck.add(joints_of(t), tracker.step(features.next()));
    nlohmann::json result = to_json(pck);
    result["frames"] = count;
    result["counts"] = pck.counts();
    return result;
  }

  nlohmann::json figures(const std::vector<nlohmann::json>& results) const override {
    Pck pck(kJoints);
    for (const nlohmann::json& result : results) pck.add_counts(counts_at(result, "counts"));
    return to_json(pck);
  }

  std::string line(const nlohmann::json& result) const override { return join(result, " ", "  "); }
  std::string lines(const nlohmann::json& figures) const override { return join(figures, ": ", "\n") + "\n"; }

 private:
  static std::vector<std::filesystem::path> files_in(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> files;
    try {
      for (const auto& entry : std::filesystem::directory_iterator(directory)) files.push_back(entry.path());
    } catch (const std::filesystem::filesystem_error& error) {
      throw IoError(directory.string() + ": " + error.code().message());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static std::string join(const nlohmann::json& figures, const std::string& is, const std::string& between) {
    std::string text;
    for (const auto& [name, figure] : figures.items()) {
      if (name.starts_with("PCK@")) text += (text.empty() ? "" : between) + name + is + figure_text(figures, name, 4);
    }
    return text;
  }

  std::filesystem::path directory_;
};

}  // namespace

std::unique_ptr<Dataset> open_jhmdb(const std::filesystem::path& directory) {
  return std::make_unique<Jhmdb>(directory);
}

}  // namespace rvm::examples
