#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/image/point.hpp>

namespace rvm {

/// The thresholds that JHMDB's results are given at.
inline constexpr std::array<double, 5> kPckThresholds{0.1, 0.2, 0.3, 0.4, 0.5};

/// Percentage of correct keypoints, counted frame by frame over any number of videos: a joint that was found (x >= 0)
/// is correct if it is not farther from the truth than a threshold times 0.6 times the diagonal of the box around the
/// frame's true joints, those that were found. (Spec, section 6.) Counts are whole numbers: they can be stored and
/// added up later.
class Pck {
 public:
  /// Throws ArgumentError without joints or thresholds.
  explicit Pck(std::size_t joints, std::span<const double> thresholds = kPckThresholds)
      : joints_(joints), thresholds_(thresholds.begin(), thresholds.end()), counts_(joints * (thresholds.size() + 1)) {
    if (counts_.empty() || thresholds.empty()) throw ArgumentError("keypoints to count need joints and thresholds");
  }

  /// One frame's true and predicted joints. Throws ArgumentError if there are not as many as said.
  void add(std::span<const Point> truth, std::span<const Point> pred) {
    if (truth.size() != joints_ || pred.size() != joints_) {
      throw ArgumentError("expected " + std::to_string(joints_) + " joints, found " + std::to_string(truth.size()) +
                          " and " + std::to_string(pred.size()));
    }
    const double size = 0.6 * diagonal(truth, pred);
    std::uint64_t* count = counts_.data();
    for (std::size_t j = 0; j < joints_; ++j, count += thresholds_.size() + 1) {
      if (!found(pred[j])) continue;
      const double error = distance(truth[j], pred[j]) / size;  // not a number where both are 0: not correct
      ++count[0];
      for (std::size_t i = 0; i < thresholds_.size(); ++i) count[i + 1] += error <= thresholds_[i] ? 1 : 0;
    }
  }

  /// One video's true and predicted joints, [T, joints]: all frames but the first, which is given. Throws ArgumentError
  /// if they are not as many, or no whole frames.
  void add_video(std::span<const Point> truth, std::span<const Point> pred) {
    if (truth.size() != pred.size() || truth.size() % joints_ != 0) {
      throw ArgumentError("expected frames of " + std::to_string(joints_) + " joints, found " +
                          std::to_string(truth.size()) + " and " + std::to_string(pred.size()) + " points");
    }
    for (std::size_t i = joints_; i < truth.size(); i += joints_) {
      add(truth.subspan(i, joints_), pred.subspan(i, joints_));
    }
  }

  /// [joints, 1 + thresholds]: how often each joint was found, and was correct at each threshold.
  std::span<const std::uint64_t> counts() const noexcept { return counts_; }
  /// Adds another's counts. Throws ArgumentError if they are of another size.
  void add_counts(std::span<const std::uint64_t> counts) {
    if (counts.size() != counts_.size()) {
      throw ArgumentError("expected " + std::to_string(counts_.size()) + " counts, found " +
                          std::to_string(counts.size()));
    }
    for (std::size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
  }

  /// For each threshold the percentage of correct keypoints, the mean over the joints that were ever found; not a
  /// number if none was.
  std::vector<double> percent() const {
    std::vector<double> out(thresholds_.size());
    double seen = 0;
    for (std::size_t j = 0; j < joints_; ++j) {
      const std::uint64_t* const count = counts_.data() + j * (thresholds_.size() + 1);
      if (count[0] == 0) continue;
      ++seen;
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] += 100 * static_cast<double>(count[i + 1]) / static_cast<double>(count[0]);
      }
    }
    for (double& value : out) value /= seen;
    return out;
  }

  std::span<const double> thresholds() const noexcept { return thresholds_; }
  std::size_t joints() const noexcept { return joints_; }

 private:
  static bool found(const Point& point) noexcept { return point.x >= 0; }
  static double distance(const Point& a, const Point& b) noexcept {
    return std::hypot(static_cast<double>(a.x) - static_cast<double>(b.x),
                      static_cast<double>(a.y) - static_cast<double>(b.y));
  }

  // Of the box around the true places of the joints that were found.
  static double diagonal(std::span<const Point> truth, std::span<const Point> pred) noexcept {
    Point low;
    Point high;
    bool any = false;
    for (std::size_t j = 0; j < truth.size(); ++j) {
      if (!found(pred[j])) continue;
      low = any ? Point{std::min(low.x, truth[j].x), std::min(low.y, truth[j].y)} : truth[j];
      high = any ? Point{std::max(high.x, truth[j].x), std::max(high.y, truth[j].y)} : truth[j];
      any = true;
    }
    return distance(low, high);
  }

  std::size_t joints_;
  std::vector<double> thresholds_;
  std::vector<std::uint64_t> counts_;
};

/// One video's true and predicted joints, [T, joints] -> percentage of correct keypoints at each of kPckThresholds.
/// Throws ArgumentError as Pck does.
inline std::vector<double> pck(std::span<const Point> truth, std::span<const Point> pred, std::size_t joints) {
  Pck counter(joints);
  counter.add_video(truth, pred);
  return counter.percent();
}

}  // namespace rvm
