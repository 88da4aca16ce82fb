#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>

// Video object segmentation as DAVIS scores it: regions (J) and boundaries (F). (Spec, section 6.)

namespace rvm {
namespace detail {

inline void check_masks(const Shape& truth, const Shape& pred, std::size_t rank) {
  if (truth.rank() != rank || truth.elements() == 0 || truth != pred) {
    throw ArgumentError("masks to compare have the same " + std::string(rank == 2 ? "[H, W]" : "[T, H, W]") +
                        ", found " + to_string(truth) + " and " + to_string(pred));
  }
}

/// Where a label's region ends: its boundary pixels, row by row from left to right. A pixel is one if it differs from
/// its right, lower or lower right neighbour in belonging to the region.
class Boundary {
 public:
  Boundary(TensorView<const std::uint8_t> mask, std::uint8_t label) : first_(mask.shape()[0] + 1) {
    const std::size_t height = mask.shape()[0];
    const std::size_t width = mask.shape()[1];
    for (std::size_t y = 0; y < height; ++y) {
      first_[y] = columns_.size();
      const std::uint8_t* const row = mask.data() + y * width;
      const std::uint8_t* const below = y + 1 < height ? row + width : row;
      for (std::size_t x = 0; x < width; ++x) {
        const std::size_t right = std::min(x + 1, width - 1);
        const bool inside = row[x] == label;
        if (inside != (row[right] == label) || inside != (below[x] == label) || inside != (below[right] == label)) {
          columns_.push_back(x);
        }
      }
    }
    first_[height] = columns_.size();
  }

  std::size_t size() const noexcept { return columns_.size(); }

  /// How many of this boundary's pixels have one of the other's within `radius` (Euclidean).
  std::size_t count_near(const Boundary& other, std::size_t radius) const {
    const std::size_t height = first_.size() - 1;
    std::size_t count = 0;
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t i = first_[y]; i < first_[y + 1]; ++i) {
        bool near = false;
        const std::size_t bottom = std::min(y + radius, height - 1);
        for (std::size_t v = y > radius ? y - radius : 0; v <= bottom && !near; ++v) {
          const std::size_t dy = v > y ? v - y : y - v;
          const auto dx =
              static_cast<std::size_t>(std::sqrt(static_cast<double>(radius * radius - dy * dy)));  // whole pixels
          near = other.has_between(v, columns_[i] > dx ? columns_[i] - dx : 0, columns_[i] + dx);
        }
        count += near ? 1 : 0;
      }
    }
    return count;
  }

 private:
  bool has_between(std::size_t row, std::size_t left, std::size_t right) const {
    const auto end = columns_.begin() + static_cast<std::ptrdiff_t>(first_[row + 1]);
    const auto found = std::lower_bound(columns_.begin() + static_cast<std::ptrdiff_t>(first_[row]), end, left);
    return found != end && *found <= right;
  }

  std::vector<std::size_t> columns_;  // of all boundary pixels
  std::vector<std::size_t> first_;    // [H + 1]: where each row's begin
};

}  // namespace detail

/// Intersection over union of a label's regions in two label images [H, W]; 1 where both are empty. Throws
/// ArgumentError if the images are not of one size.
inline double jaccard(TensorView<const std::uint8_t> truth, TensorView<const std::uint8_t> pred,
                      std::uint8_t label = 1) {
  detail::check_masks(truth.shape(), pred.shape(), 2);
  std::size_t both = 0;
  std::size_t either = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const bool a = truth.data()[i] == label;
    const bool b = pred.data()[i] == label;
    both += a && b ? 1 : 0;
    either += a || b ? 1 : 0;
  }
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

/// F-measure of the boundaries of a label's regions in two label images [H, W]: harmonic mean of the shares of each
/// boundary's pixels that have one of the other's within `tolerance` of the image's diagonal, rounded up to whole
/// pixels. Throws ArgumentError if the images are not of one size or the tolerance is not in [0, 1].
inline double boundary_f(TensorView<const std::uint8_t> truth, TensorView<const std::uint8_t> pred,
                         std::uint8_t label = 1, double tolerance = 0.008) {
  detail::check_masks(truth.shape(), pred.shape(), 2);
  if (!(tolerance >= 0 && tolerance <= 1)) throw ArgumentError("a boundary's tolerance is in [0, 1] of the diagonal");
  const double diagonal = std::hypot(static_cast<double>(truth.shape()[0]), static_cast<double>(truth.shape()[1]));
  const auto radius = static_cast<std::size_t>(std::ceil(tolerance * diagonal));
  const detail::Boundary of_truth(truth, label);
  const detail::Boundary of_pred(pred, label);
  if (of_truth.size() == 0 || of_pred.size() == 0) return of_truth.size() == of_pred.size() ? 1.0 : 0.0;
  const double precision =
      static_cast<double>(of_pred.count_near(of_truth, radius)) / static_cast<double>(of_pred.size());
  const double recall =
      static_cast<double>(of_truth.count_near(of_pred, radius)) / static_cast<double>(of_truth.size());
  return precision + recall == 0 ? 0.0 : 2 * precision * recall / (precision + recall);
}

/// Region and boundary score, each in [0, 1].
struct DavisScore {
  double j = 0.0;
  double f = 0.0;

  /// J&F.
  double mean() const noexcept { return (j + f) / 2; }
};

/// Scores the objects of one video, frame by frame: each object's mean over all frames but the first and the last. Its
/// size does not grow with the video.
class DavisScores {
 public:
  /// The next frame's label images [H, W]. Throws ArgumentError if they are not of one size; the scores are then as
  /// before.
  void add(TensorView<const std::uint8_t> truth, TensorView<const std::uint8_t> pred) {
    detail::check_masks(truth.shape(), pred.shape(), 2);
    std::array<bool, 256> occurs{};
    for (const std::uint8_t label : truth) occurs[label] = true;
    const std::size_t in_truth = last_of(occurs);
    for (const std::uint8_t label : pred) occurs[label] = true;
    const std::size_t labels = std::max(last_of(occurs), sums_.size());
    std::vector<DavisScore> next(labels, {1.0, 1.0});
    for (std::size_t i = 0; i < labels && frames_ > 0; ++i) {  // the first frame is given, not predicted
      const auto label = static_cast<std::uint8_t>(i + 1);
      if (occurs[label]) next[i] = {jaccard(truth, pred, label), boundary_f(truth, pred, label)};
    }
    // A label that never was before was nowhere, and rightly so, in all frames that count so far.
    const double counted = frames_ > 2 ? static_cast<double>(frames_ - 2) : 0.0;
    sums_.resize(labels, {counted, counted});
    last_.resize(labels, {1.0, 1.0});
    for (std::size_t i = 0; i < labels && frames_ > 1; ++i) {
      sums_[i].j += last_[i].j;
      sums_[i].f += last_[i].f;
    }
    last_ = std::move(next);
    objects_ = std::max(objects_, in_truth);
    ++frames_;
  }

  /// Frames added so far.
  std::size_t frames() const noexcept { return frames_; }

  /// The mean score of each object 1, 2, ... up to the truth's largest label. Throws ArgumentError with fewer than
  /// three frames or no object.
  std::vector<DavisScore> objects() const {
    if (frames_ < 3) throw ArgumentError("a video to score needs 3 frames, found " + std::to_string(frames_));
    if (objects_ == 0) throw ArgumentError("a video to score needs an object: all labels are 0");
    std::vector<DavisScore> out(sums_.begin(), sums_.begin() + static_cast<std::ptrdiff_t>(objects_));
    const auto counted = static_cast<double>(frames_ - 2);
    for (DavisScore& score : out) score = {score.j / counted, score.f / counted};
    return out;
  }

  /// The mean over the objects. Throws ArgumentError as objects() does.
  DavisScore mean() const {
    DavisScore sum;
    const std::vector<DavisScore> all = objects();
    for (const DavisScore& score : all) sum = {sum.j + score.j, sum.f + score.f};
    const auto count = static_cast<double>(all.size());
    return {sum.j / count, sum.f / count};
  }

 private:
  static std::size_t last_of(const std::array<bool, 256>& occurs) noexcept {
    std::size_t last = occurs.size() - 1;
    while (last > 0 && !occurs[last]) --last;
    return last;
  }

  std::vector<DavisScore> sums_;  // over the frames that count for sure, by label - 1
  std::vector<DavisScore> last_;  // the last frame's, which count if another follows
  std::size_t objects_ = 0;
  std::size_t frames_ = 0;
};

/// Two label videos [T, H, W] -> their mean scores over objects and frames. Throws ArgumentError if they are not of one
/// size, shorter than three frames, or without an object.
inline DavisScore davis_j_and_f(TensorView<const std::uint8_t> truth, TensorView<const std::uint8_t> pred) {
  detail::check_masks(truth.shape(), pred.shape(), 3);
  DavisScores scores;
  for (std::size_t t = 0; t < truth.shape()[0]; ++t) scores.add(truth[t], pred[t]);
  return scores.mean();
}

}  // namespace rvm
