#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <rvm/backend/detail/eigen_product.hpp>
#include <rvm/core/detail/split_mix.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/matrix.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {
namespace detail {

template <class T, class U>
double squared_distance(const T* a, const U* b, std::size_t n) {
  const Eigen::Map<const Eigen::Array<T, 1, Eigen::Dynamic>> x(a, eigen_index(n));
  const Eigen::Map<const Eigen::Array<U, 1, Eigen::Dynamic>> y(b, eigen_index(n));
  return (x.template cast<double>() - y.template cast<double>()).square().sum();
}

}  // namespace detail

/// `count` rows of `x`, [n, D], far apart from each other, for k-means to start from: greedy k-means++. The first is
/// drawn at random; for each next one a few are drawn, with chances that grow with the square of the distance to the
/// nearest one so far, and that is taken which brings all rows nearest to one. The same seed gives the same rows.
/// Throws ArgumentError if count is 0, x has fewer different rows, or not all is finite.
inline std::vector<std::size_t> kmeans_plus_plus(MatrixView<const float> x, std::size_t count, std::uint64_t seed) {
  if (count == 0) throw ArgumentError("there is nothing to sort into 0 clusters");
  std::vector<std::size_t> chosen;
  std::vector<double> distances(x.rows, std::numeric_limits<double>::max());  // squared, to the nearest one chosen
  std::vector<double> nearer(x.rows);
  std::vector<double> nearest(x.rows);
  double total = 0;  // of the distances
  detail::SplitMix64 random(seed);
  // The row whose share of the total a random place lies in.
  const auto draw = [&] {
    double place = total * (static_cast<double>(random.next() >> 11) * 0x1p-53);
    std::size_t row = 0;
    for (std::size_t i = 0; i < x.rows && place >= 0; ++i) {
      if (distances[i] == 0) continue;
      row = i;
      place -= distances[i];
    }
    return row;
  };
  const auto draws = 2 + static_cast<std::size_t>(std::log(static_cast<double>(count)));
  while (chosen.size() < count && (chosen.empty() ? x.rows > 0 : total > 0)) {
    double least = std::numeric_limits<double>::infinity();
    std::size_t best = 0;
    for (std::size_t k = 0; k < (chosen.empty() ? 1 : draws); ++k) {
      const std::size_t row = chosen.empty() ? static_cast<std::size_t>(random.below(x.rows)) : draw();
      double sum = 0;
      for (std::size_t i = 0; i < x.rows; ++i) {
        const double distance = detail::squared_distance(x.row(i), x.row(row), x.cols);
        if (!std::isfinite(distance)) throw ArgumentError("k-means needs finite numbers");
        nearer[i] = std::min(distances[i], distance);
        sum += nearer[i];
      }
      if (sum >= least) continue;
      least = sum;
      best = row;
      nearest.swap(nearer);
    }
    chosen.push_back(best);
    distances.swap(nearest);
    total = least;
  }
  if (chosen.size() < count) {
    throw ArgumentError("rows of which only " + std::to_string(chosen.size()) + " differ cannot be sorted into " +
                        std::to_string(count) + " clusters");
  }
  return chosen;
}

/// Rows of numbers (features of patches) sorted into clusters around their means: k-means from k-means++ seeds by
/// Lloyd's algorithm, until no row changes its cluster. Immutable once fitted; safe to use from several threads.
class KMeans {
 public:
  /// Sorts the rows of `x`, [n, D], into `count` clusters, none of them empty. The same data and seed give the same
  /// clusters. Throws ArgumentError as kmeans_plus_plus.
  KMeans(MatrixView<const float> x, std::size_t count, std::uint64_t seed = 0)
      : KMeans(x, kmeans_plus_plus(x, count, seed)) {}

  /// The same from given seeds: the rows of `x` that are the first centres. Throws ArgumentError if there are none, one
  /// is no row of x, two are equal rows, or not all is finite.
  KMeans(MatrixView<const float> x, std::span<const std::size_t> seeds)
      : centres_({seeds.size(), x.cols}),
        around_mean_({seeds.size(), x.cols}),
        mean_({x.cols}),
        biases_(seeds.size()),
        labels_(x.rows) {
    check(x, seeds);
    const std::size_t count = seeds.size();
    Tensor<double> sums({count, x.cols});
    for (std::size_t i = 0; i < x.rows; ++i) add(x.row(i), 1.0 / static_cast<double>(x.rows), sums[0]);
    std::transform(sums[0].begin(), sums[0].end(), mean_.begin(), [](double v) { return static_cast<float>(v); });
    for (std::size_t c = 0; c < count; ++c) std::copy_n(x.row(seeds[c]), x.cols, centres_[c].data());
    prepare();
    assign(x, labels_);
    std::vector<std::uint32_t> previous;
    // Each round lowers the inertia, so this ends; the limit is for rows that rounding moves back and forth.
    constexpr std::size_t kMaxIterations = 1000;
    do {
      previous = labels_;
      move_centres(x, previous, sums);
      prepare();
      assign(x, labels_);
      ++iterations_;
    } while (labels_ != previous && iterations_ < kMaxIterations);
    labels_ = previous;  // those that the centres are the means of
    for (std::size_t i = 0; i < x.rows; ++i) {
      inertia_ += detail::squared_distance(x.row(i), centres_[labels_[i]].data(), x.cols);
    }
  }

  /// Number of clusters.
  std::size_t count() const noexcept { return centres_.shape()[0]; }
  /// D, the numbers in a row.
  std::size_t width() const noexcept { return centres_.shape()[1]; }
  /// [count, D]: the mean of each cluster.
  TensorView<const float> centres() const noexcept { return centres_; }
  /// The cluster of each fitted row, in [0, count).
  std::span<const std::uint32_t> labels() const noexcept { return labels_; }
  /// Sum of the squared distances of the fitted rows to their centres.
  double inertia() const noexcept { return inertia_; }
  /// Rounds until nothing changed.
  std::size_t iterations() const noexcept { return iterations_; }

  /// The nearest centre of each row of x [n, D], the first of equals: labels [n]. Allocates nothing. Throws
  /// ArgumentError if the widths or lengths are others.
  void assign(MatrixView<const float> x, std::span<std::uint32_t> labels) const {
    if (x.cols != width() || labels.size() != x.rows) {
      throw ArgumentError("cannot sort [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) +
                          "] around centres " + to_string(centres_.shape()) + " into " + std::to_string(labels.size()) +
                          " labels");
    }
    constexpr std::size_t kTile = 64;
    std::array<float, kTile * kTile> products;
    std::array<float, kTile> nearest;
    const MatrixView<const float> centres(around_mean_.data(), count(), width());
    for (std::size_t first = 0; first < x.rows; first += kTile) {
      const std::size_t rows = std::min(kTile, x.rows - first);
      nearest.fill(std::numeric_limits<float>::infinity());
      std::fill_n(&labels[first], rows, 0U);
      for (std::size_t c = 0; c < count(); c += kTile) {
        const std::size_t cols = std::min(kTile, count() - c);
        const MatrixView<float> tile(products.data(), rows, cols);
        detail::product_transposed(x.row_block(first, rows), centres.row_block(c, cols), tile);
        for (std::size_t i = 0; i < rows; ++i) {
          for (std::size_t j = 0; j < cols; ++j) {
            const float distance = biases_[c + j] - 2 * tile.row(i)[j];
            if (distance >= nearest[i]) continue;
            nearest[i] = distance;
            labels[first + i] = static_cast<std::uint32_t>(c + j);
          }
        }
      }
    }
  }

 private:
  static void check(MatrixView<const float> x, std::span<const std::size_t> seeds) {
    if (seeds.empty()) throw ArgumentError("there is nothing to sort into 0 clusters");
    for (std::size_t i = 0; i < seeds.size(); ++i) {
      if (seeds[i] >= x.rows) {
        throw ArgumentError("seed " + std::to_string(seeds[i]) + " is none of " + std::to_string(x.rows) + " rows");
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (!std::equal(x.row(seeds[i]), x.row(seeds[i]) + x.cols, x.row(seeds[j]))) continue;
        throw ArgumentError("seeds " + std::to_string(seeds[j]) + " and " + std::to_string(seeds[i]) +
                            " are equal rows");
      }
    }
    for (std::size_t i = 0; i < x.rows; ++i) {
      if (!std::isfinite(detail::squared_distance(x.row(i), x.row(seeds[0]), x.cols))) {
        throw ArgumentError("k-means needs finite numbers");
      }
    }
  }

  static void add(const float* row, double weight, TensorView<double> sum) {
    for (std::size_t d = 0; d < sum.size(); ++d) sum.data()[d] += weight * static_cast<double>(row[d]);
  }

  // Makes the centres the means of their rows. A cluster that has lost all its rows takes the one farthest from its own
  // centre.
  void move_centres(MatrixView<const float> x, std::vector<std::uint32_t>& labels, Tensor<double>& sums) {
    std::vector<std::size_t> sizes(count());
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < x.rows; ++i) {
      add(x.row(i), 1, sums[labels[i]]);
      ++sizes[labels[i]];
    }
    for (std::size_t c = 0; c < count(); ++c) {
      if (sizes[c] > 0) continue;
      const std::size_t row = farthest(x, labels, sizes, sums);
      add(x.row(row), -1, sums[labels[row]]);
      --sizes[labels[row]];
      add(x.row(row), 1, sums[c]);
      ++sizes[c];
      labels[row] = static_cast<std::uint32_t>(c);
    }
    for (std::size_t c = 0; c < count(); ++c) {
      std::transform(sums[c].begin(), sums[c].end(), centres_[c].begin(),
                     [n = static_cast<double>(sizes[c])](double sum) { return static_cast<float>(sum / n); });
    }
  }

  // Of the rows that are not alone in their cluster.
  static std::size_t farthest(MatrixView<const float> x, const std::vector<std::uint32_t>& labels,
                              const std::vector<std::size_t>& sizes, const Tensor<double>& sums) {
    std::vector<double> centre(x.cols);
    std::size_t row = 0;
    double distance = -1;
    for (std::size_t i = 0; i < x.rows; ++i) {
      const auto n = static_cast<double>(sizes[labels[i]]);
      if (n < 2) continue;
      const auto sum = sums[labels[i]];
      std::transform(sum.begin(), sum.end(), centre.begin(), [n](double v) { return v / n; });
      const double found = detail::squared_distance(x.row(i), centre.data(), x.cols);
      if (found <= distance) continue;
      distance = found;
      row = i;
    }
    return row;
  }

  // |x - c|^2 is |x|^2, which is the same for all centres, plus |c|^2 - 2 x c; with c counted from the mean of all rows
  // this is |c|^2 + 2 mean c - 2 x c, and few digits are lost to a mean that is large.
  void prepare() {
    for (std::size_t c = 0; c < count(); ++c) {
      double bias = 0;
      for (std::size_t d = 0; d < width(); ++d) {
        around_mean_(c, d) = centres_(c, d) - mean_(d);
        const double value = around_mean_(c, d);
        bias += value * (value + 2 * static_cast<double>(mean_(d)));
      }
      biases_[c] = static_cast<float>(bias);
    }
  }

  Tensor<float> centres_;
  Tensor<float> around_mean_;  // the centres less the mean of all rows
  Tensor<float> mean_;
  std::vector<float> biases_;
  std::vector<std::uint32_t> labels_;
  double inertia_ = 0;
  std::size_t iterations_ = 0;
};

}  // namespace rvm
