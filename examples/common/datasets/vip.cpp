#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <rvm/core/error.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/metrics/mean_iou.hpp>

#include "common/datasets/dataset.hpp"
#include "common/json.hpp"
#include "common/label_png.hpp"

namespace rvm::examples {
namespace {

constexpr std::array<const char*, 20> kCategories{
    "background", "hat",      "hair",      "sun-glasses", "upper-clothes", "dress",      "coat",
    "socks",      "pants",    "gloves",    "scarf",       "skirt",         "torso-skin", "face",
    "right-arm",  "left-arm", "right-leg", "left-leg",    "right-shoe",    "left-shoe"};

class Vip final : public Dataset {
 public:
  explicit Vip(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::vector<std::string> sequences() const override { return read_lines(directory_ / "lists/val_videos.txt"); }

  std::filesystem::path frames(const std::string& sequence) const override { return directory_ / "Images" / sequence; }

  nlohmann::json evaluate(const std::string& sequence, const Protocol& protocol, AnyStream& stream,
                          Progress& progress) const override {
    const std::vector<std::filesystem::path> masks =
        masks_of(frames(sequence), directory_ / "Annotations/Category_ids" / sequence);
    SequenceFeatures features(frames(sequence), protocol.size, stream, progress);
    LabelImage truth = read_label_png(masks[0], features.original_size());
    MaskTracker tracker(features.next(), truth, protocol.propagation);
    ConfusionMatrix matrix(kCategories.size());
    matrix.add(truth, tracker.mask());
    for (std::size_t t = 1; t < masks.size(); ++t) {
      truth = read_label_png(masks[t], features.original_size());
      matrix.add(truth, tracker.step(features.next()));
    }
    return {{"mean IoU", matrix.mean_iou()}, {"frames", masks.size()}, {"counts", matrix.counts()}};
  }

  nlohmann::json figures(const std::vector<nlohmann::json>& results) const override {
    ConfusionMatrix matrix(kCategories.size());
    for (const nlohmann::json& result : results) {
      matrix.add_counts(counts_at(result, "counts"));
    }
    nlohmann::json figures{{"mean IoU", matrix.mean_iou()}};
    const std::vector<double> iou = matrix.iou();
    for (std::size_t k = 0; k < kCategories.size(); ++k) figures["IoU"][kCategories[k]] = iou[k];
    return figures;
  }

  std::string line(const nlohmann::json& result) const override {
    return "mean IoU " + figure_text(result, "mean IoU");
  }
  std::string lines(const nlohmann::json& figures) const override {
    std::string text;
    for (const char* const category : kCategories) {
      std::array<char, 32> name{};
      std::snprintf(name.data(), name.size(), "%-15s: ", category);
      text += name.data() + figure_text(object_at(figures, "IoU"), category) + "\n";
    }
    return text + line(figures) + "\n";
  }

 private:
  std::filesystem::path directory_;
};

}  // namespace

std::unique_ptr<Dataset> open_vip(const std::filesystem::path& directory) {
  return std::make_unique<Vip>(directory);
}

}  // namespace rvm::examples
