#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {

/// Counts how often pixels of each true class were given each class, over any number of frames and videos. Counts are
/// whole numbers: they can be stored and added up later.
class ConfusionMatrix {
 public:
  /// VIP has 20 classes. Throws ArgumentError if there are none or more than labels can tell apart.
  explicit ConfusionMatrix(std::size_t classes = 20) : classes_(checked(classes)), counts_(classes * classes) {}

  /// Labels of any shape, the same for both. Pixels whose true label is no class do not count. Throws ArgumentError if
  /// the shapes differ or a predicted label that counts is no class; the counts are then as before.
  void add(TensorView<const std::uint8_t> truth, TensorView<const std::uint8_t> pred) {
    if (truth.shape() != pred.shape()) {
      throw ArgumentError("labels to compare have the same shape, found " + to_string(truth.shape()) + " and " +
                          to_string(pred.shape()));
    }
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (truth.data()[i] < classes_ && pred.data()[i] >= classes_) {
        throw ArgumentError("label " + std::to_string(pred.data()[i]) + " was predicted, but there are " +
                            std::to_string(classes_) + " classes");
      }
    }
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (truth.data()[i] < classes_) ++counts_[classes_ * truth.data()[i] + pred.data()[i]];
    }
  }

  /// [classes, classes]: how many pixels of each true class were given each class.
  std::span<const std::uint64_t> counts() const noexcept { return counts_; }
  /// Adds another's counts. Throws ArgumentError if they are of another size.
  void add_counts(std::span<const std::uint64_t> counts) {
    if (counts.size() != counts_.size()) {
      throw ArgumentError("expected " + std::to_string(counts_.size()) + " counts, found " +
                          std::to_string(counts.size()));
    }
    for (std::size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
  }

  /// Each class's intersection over union; not a number for a class that neither occurs nor was predicted.
  std::vector<double> iou() const {
    std::vector<double> out(classes_);
    for (std::size_t k = 0; k < classes_; ++k) {
      std::uint64_t either = 0;
      for (std::size_t i = 0; i < classes_; ++i) either += counts_[k * classes_ + i] + counts_[i * classes_ + k];
      const std::uint64_t both = counts_[k * classes_ + k];
      either -= both;
      out[k] = either == 0 ? std::numeric_limits<double>::quiet_NaN()
                           : static_cast<double>(both) / static_cast<double>(either);
    }
    return out;
  }

  /// The mean over the classes that occur or were predicted; not a number if none does.
  double mean_iou() const {
    double sum = 0;
    double seen = 0;
    for (const double value : iou()) {
      if (value != value) continue;
      sum += value;
      ++seen;
    }
    return sum / seen;
  }

  std::size_t classes() const noexcept { return classes_; }

 private:
  static std::size_t checked(std::size_t classes) {
    if (classes == 0 || classes > 256) throw ArgumentError("there are 1 to 256 classes");
    return classes;
  }

  std::size_t classes_;
  std::vector<std::uint64_t> counts_;
};

/// Labels of one shape -> mean over the classes of the intersection over union, from one confusion matrix. (Spec,
/// section 6: VIP.) Throws ArgumentError as ConfusionMatrix does.
inline double mean_iou(TensorView<const std::uint8_t> truth, TensorView<const std::uint8_t> pred,
                       std::size_t classes = 20) {
  ConfusionMatrix matrix(classes);
  matrix.add(truth, pred);
  return matrix.mean_iou();
}

}  // namespace rvm
