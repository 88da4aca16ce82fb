#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include <Eigen/Eigenvalues>

#include <rvm/core/error.hpp>
#include <rvm/core/matrix.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {

/// Principal components: the directions in which rows of numbers (features of patches) vary most, strongest first.
/// Immutable once fitted; safe to use from several threads.
class Pca {
 public:
  /// Fits `count` components to the rows of `x`, [n, D]. Each component is of unit length and points to where its
  /// largest element is positive, so that equal data give equal signs. Throws ArgumentError if there are no rows or
  /// `count` is not in [1, D].
  Pca(MatrixView<const float> x, std::size_t count)
      : mean_({x.cols}), components_({checked(x, count), x.cols}), variances_({count}) {
    const auto width = static_cast<Eigen::Index>(x.cols);
    const auto n = static_cast<double>(x.rows);
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const Rows, Eigen::Unaligned, Eigen::OuterStride<>> rows(
        x.data, static_cast<Eigen::Index>(x.rows), width, Eigen::OuterStride<>(static_cast<Eigen::Index>(x.stride)));
    const Eigen::RowVectorXd mean = rows.cast<double>().colwise().sum() / n;
    // A block of rows at a time, so that the copy in double stays small.
    Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(width, width);
    constexpr Eigen::Index kBlock = 256;
    for (Eigen::Index i = 0; i < rows.rows(); i += kBlock) {
      const Eigen::MatrixXd block =
          rows.middleRows(i, std::min(kBlock, rows.rows() - i)).cast<double>().rowwise() - mean;
      covariance.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose(), 1 / n);
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);  // eigenvalues in ascending order
    for (std::size_t d = 0; d < x.cols; ++d) mean_(d) = static_cast<float>(mean(static_cast<Eigen::Index>(d)));
    for (std::size_t c = 0; c < count; ++c) {
      const Eigen::Index column = width - 1 - static_cast<Eigen::Index>(c);
      const Eigen::VectorXd direction = solver.eigenvectors().col(column);
      Eigen::Index largest = 0;
      direction.cwiseAbs().maxCoeff(&largest);
      const double sign = direction(largest) < 0 ? -1 : 1;
      for (std::size_t d = 0; d < x.cols; ++d) {
        components_(c, d) = static_cast<float>(sign * direction(static_cast<Eigen::Index>(d)));
      }
      variances_(c) = static_cast<float>(std::max(0.0, solver.eigenvalues()(column)));
    }
  }

  /// Number of components.
  std::size_t count() const noexcept { return components_.shape()[0]; }
  /// D, the numbers in a row.
  std::size_t width() const noexcept { return components_.shape()[1]; }
  /// [D].
  TensorView<const float> mean() const noexcept { return mean_; }
  /// [count, D], unit length.
  TensorView<const float> components() const noexcept { return components_; }
  /// [count]: the variance of the rows along each component.
  TensorView<const float> variances() const noexcept { return variances_; }

  /// The coordinates of rows along the components: x [n, D] -> out [n, count]. Throws ArgumentError if the widths are
  /// others.
  void project(MatrixView<const float> x, MatrixView<float> out) const {
    if (x.cols != width() || out.cols != count() || out.rows != x.rows) {
      throw ArgumentError("cannot project [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) + "] to [" +
                          std::to_string(out.rows) + ", " + std::to_string(out.cols) + "] along " +
                          std::to_string(count()) + " components of " + std::to_string(width()) + " numbers");
    }
    for (std::size_t i = 0; i < x.rows; ++i) {
      for (std::size_t c = 0; c < count(); ++c) {
        double sum = 0;
        for (std::size_t d = 0; d < x.cols; ++d) {
          sum += static_cast<double>(x.row(i)[d] - mean_(d)) * static_cast<double>(components_(c, d));
        }
        out.row(i)[c] = static_cast<float>(sum);
      }
    }
  }

 private:
  static std::size_t checked(MatrixView<const float> x, std::size_t count) {
    if (x.rows == 0) throw ArgumentError("principal components need at least one row");
    if (count == 0 || count > x.cols) {
      throw ArgumentError("rows of " + std::to_string(x.cols) + " numbers have no " + std::to_string(count) +
                          " principal components");
    }
    return count;
  }

  Tensor<float> mean_;
  Tensor<float> components_;
  Tensor<float> variances_;
};

}  // namespace rvm
