#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/SVD>

#include <rvm/backend/detail/eigen_product.hpp>
#include <rvm/core/matrix.hpp>
#include <rvm/core/tensor.hpp>

// Three directions in a space of D numbers, [3, D], as streaming colours turn them. Nothing here takes from the heap.

namespace rvm::detail {

using Matrix3 = Eigen::Matrix3d;

inline EigenConstRow axis(const Tensor<float>& axes, std::size_t c) {
  return eigen_row(axes.data() + c * axes.shape()[1], axes.shape()[1]);
}
inline EigenRow axis(Tensor<float>& axes, std::size_t c) {
  return eigen_row(axes.data() + c * axes.shape()[1], axes.shape()[1]);
}

/// The product of the i-th axis of `a` with the j-th of `b`.
inline double dot(const Tensor<float>& a, std::size_t i, const Tensor<float>& b, std::size_t j) {
  return (axis(a, i).cast<double>() * axis(b, j).cast<double>()).sum();
}

/// The products of each axis of `a` with each of `b`.
inline Matrix3 dots(const Tensor<float>& a, const Tensor<float>& b) {
  Matrix3 out;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) out(eigen_index(i), eigen_index(j)) = dot(a, i, b, j);
  }
  return out;
}

/// The coordinates of rows along the axes, counted from `origin` [D]: x [n, D] -> out [n, 3].
inline void project(MatrixView<const float> x, const Tensor<float>& axes, const Tensor<float>& origin,
                    MatrixView<float> out) {
  std::array<float, 3> start;
  for (std::size_t c = 0; c < 3; ++c) start[c] = static_cast<float>(dot(axes, c, origin, 0));
  for (std::size_t i = 0; i < x.rows; i += kProductRows) {
    const std::size_t rows = std::min(kProductRows, x.rows - i);
    product_transposed(x.row_block(i, rows), {axes.data(), 3, x.cols}, out.row_block(i, rows));
  }
  for (std::size_t i = 0; i < out.rows; ++i) {
    for (std::size_t c = 0; c < 3; ++c) out.row(i)[c] -= start[c];
  }
}

/// out = y^T x: for each coordinate of y [n, 3] the rows of x [n, D], weighted with it and summed.
inline void weighted_sums(MatrixView<const float> x, MatrixView<const float> y, Tensor<float>& out) {
  const MatrixView<float> sums(out.data(), 3, x.cols);
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t d = 0; d < x.cols; d += kProductCols) {
    const std::size_t cols = std::min(kProductCols, x.cols - d);
    for (std::size_t i = 0; i < x.rows; i += kProductDepth) {
      const std::size_t rows = std::min(kProductDepth, x.rows - i);
      as_eigen(sums.col_block(d, cols)).noalias() +=
          as_eigen(y.row_block(i, rows)).transpose() * as_eigen(x.row_block(i, rows).col_block(d, cols));
    }
  }
}

/// out_j = sum over i of turn(i, j) axes_i.
inline void turn(const Tensor<float>& axes, const Matrix3& by, Tensor<float>& out) {
  for (std::size_t j = 0; j < 3; ++j) {
    const Eigen::Vector3f weights = by.col(eigen_index(j)).cast<float>();
    axis(out, j) = weights[0] * axis(axes, 0) + weights[1] * axis(axes, 1) + weights[2] * axis(axes, 2);
  }
}

/// Makes axes of unit length and at right angles of `axes`, in their order (Gram and Schmidt). Where there is no
/// direction left, as of data that vary along fewer than three, one of `previous` stands in, which are such already.
inline void orthonormalize(Tensor<float>& axes, const Tensor<float>& previous) {
  const auto subtract_earlier = [&](std::size_t c) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t b = 0; b < c; ++b) {
        axis(axes, c) -= static_cast<float>(dot(axes, c, axes, b)) * axis(axes, b);
      }
    }
    return std::sqrt(dot(axes, c, axes, c));
  };
  double longest = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    longest = std::max(longest, std::sqrt(dot(axes, c, axes, c)));
    double length = subtract_earlier(c);
    constexpr double kRounding = 1e-5;
    for (std::size_t p = 0; p < 3 && !(length > kRounding * longest); ++p) {
      // Of three axes at right angles, one at least is far from every plane.
      axis(axes, c) = axis(previous, (c + p) % 3);
      if (const double left = subtract_earlier(c); left > 0.5) length = left;
    }
    axis(axes, c) *= static_cast<float>(1 / length);
  }
}

/// How to turn axes among each other so that variances `squares` (their products, summed over the data) are those of
/// principal components, the largest first.
inline Matrix3 principal_turn(const Matrix3& squares) {
  return Eigen::SelfAdjointEigenSolver<Matrix3>(squares).eigenvectors().rowwise().reverse();
}

/// How to turn axes among each other so that they come nearest to others; `products` = dots(axes, others).
inline Matrix3 nearest_turn(const Matrix3& products) {
  const Eigen::JacobiSVD<Matrix3> svd(products, Eigen::ComputeFullU | Eigen::ComputeFullV);
  return svd.matrixU() * svd.matrixV().transpose();
}

/// How to mix axes, nearly of unit length and at right angles, so that they are and have moved least; `squares` =
/// dots(axes, axes).
inline Matrix3 straightening(const Matrix3& squares) {
  return Eigen::SelfAdjointEigenSolver<Matrix3>(squares).operatorInverseSqrt();
}

}  // namespace rvm::detail
