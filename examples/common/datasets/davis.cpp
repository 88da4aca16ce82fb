#include <algorithm>
#include <cstddef>
#include <cstdio>

#include <rvm/core/error.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/metrics/davis.hpp>

#include "common/datasets/dataset.hpp"
#include "common/json.hpp"
#include "common/label_png.hpp"

namespace rvm::examples {
namespace {

constexpr std::uint8_t kMostObjects = 10;

/// What JSON says of scores: J, F and J&F.
nlohmann::json to_json(const DavisScore& score) {
  return {{"J&F", score.mean()}, {"J", score.j}, {"F", score.f}};
}

class Davis final : public Dataset {
 public:
  explicit Davis(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::vector<std::string> sequences() const override { return read_lines(directory_ / "ImageSets/2017/val.txt"); }

  std::filesystem::path frames(const std::string& sequence) const override {
    return directory_ / "JPEGImages/480p" / sequence;
  }

  nlohmann::json evaluate(const std::string& sequence, const Protocol& protocol, AnyStream& stream,
                          Progress& progress) const override {
    const std::vector<std::filesystem::path> masks =
        masks_of(frames(sequence), directory_ / "Annotations/480p" / sequence);
    SequenceFeatures features(frames(sequence), protocol.size, stream, progress);
    LabelImage truth = read_truth(masks[0], features.original_size());
    MaskTracker tracker(features.next(), truth, protocol.propagation);
    DavisScores scores;
    scores.add(truth, tracker.mask());
    for (std::size_t t = 1; t < masks.size(); ++t) {
      truth = read_truth(masks[t], features.original_size());
      scores.add(truth, tracker.step(features.next()));
    }
    nlohmann::json result = to_json(scores.mean());
    result["frames"] = masks.size();
    for (const DavisScore& object : scores.objects()) result["objects"].push_back(to_json(object));
    return result;
  }

  nlohmann::json figures(const std::vector<nlohmann::json>& results) const override {
    DavisScore sum;
    double objects = 0;
    for (const nlohmann::json& result : results) {
      for (const nlohmann::json& object : array_at(result, "objects")) {
        sum = {sum.j + number_at(object, "J"), sum.f + number_at(object, "F")};
        ++objects;
      }
    }
    return to_json({sum.j / objects, sum.f / objects});
  }

  std::string line(const nlohmann::json& result) const override {
    return "J&F " + figure_text(result, "J&F") + "  J " + figure_text(result, "J") + "  F " + figure_text(result, "F");
  }
  std::string lines(const nlohmann::json& figures) const override {
    return "J&F-Mean " + figure_text(figures, "J&F") + "\nJ-Mean " + figure_text(figures, "J") + "\nF-Mean " +
           figure_text(figures, "F") + "\n";
  }

 private:
  static LabelImage read_truth(const std::filesystem::path& path, const FrameSize& size) {
    LabelImage mask = read_label_png(path, size);
    const std::uint8_t most = *std::max_element(mask.begin(), mask.end());
    if (most > kMostObjects) {
      throw IoError(path.string() + ": has the label " + std::to_string(most) + ", while objects are 1 to " +
                    std::to_string(kMostObjects));
    }
    return mask;
  }

  std::filesystem::path directory_;
};

}  // namespace

std::unique_ptr<Dataset> open_davis(const std::filesystem::path& directory) {
  return std::make_unique<Davis>(directory);
}

}  // namespace rvm::examples
