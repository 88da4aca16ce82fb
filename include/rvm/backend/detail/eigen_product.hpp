#pragma once

#include <algorithm>
#include <cstddef>

#include <Eigen/Core>

#include <rvm/core/matrix.hpp>

namespace rvm::detail {

using EigenRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using EigenStride = Eigen::OuterStride<>;
using EigenMatrix = Eigen::Map<EigenRows, Eigen::Unaligned, EigenStride>;
using EigenConstMatrix = Eigen::Map<const EigenRows, Eigen::Unaligned, EigenStride>;
using EigenRow = Eigen::Map<Eigen::Array<float, 1, Eigen::Dynamic>>;
using EigenConstRow = Eigen::Map<const Eigen::Array<float, 1, Eigen::Dynamic>>;

inline Eigen::Index eigen_index(std::size_t i) noexcept {
  return static_cast<Eigen::Index>(i);
}

inline EigenMatrix as_eigen(MatrixView<float> m) {
  return {m.data, eigen_index(m.rows), eigen_index(m.cols), EigenStride(eigen_index(m.stride))};
}
inline EigenConstMatrix as_eigen(MatrixView<const float> m) {
  return {m.data, eigen_index(m.rows), eigen_index(m.cols), EigenStride(eigen_index(m.stride))};
}
inline EigenRow eigen_row(float* data, std::size_t n) {
  return {data, eigen_index(n)};
}
inline EigenConstRow eigen_row(const float* data, std::size_t n) {
  return {data, eigen_index(n)};
}

// Largest product that Eigen packs on the stack (128 KiB for each operand), so that it takes nothing from the heap.
inline constexpr std::size_t kProductRows = 192;
inline constexpr std::size_t kProductDepth = 128;
inline constexpr std::size_t kProductCols = 256;

enum class Accumulate : bool { kNo, kYes };

// y = x w, or y += x w, for at most kProductRows rows and kProductCols columns and any depth.
inline void product_block(MatrixView<const float> x, MatrixView<const float> w, MatrixView<float> y,
                          Accumulate accumulate) {
  auto out = as_eigen(y);
  if (accumulate == Accumulate::kNo) out.setZero();
  for (std::size_t k = 0; k < w.rows; k += kProductDepth) {
    const std::size_t depth = std::min(kProductDepth, w.rows - k);
    out.noalias() += as_eigen(x.col_block(k, depth)) * as_eigen(w.row_block(k, depth));
  }
}

// y = x w^T for at most kProductRows rows; any columns, and a depth that is a head's.
inline void product_transposed(MatrixView<const float> x, MatrixView<const float> w, MatrixView<float> y) {
  for (std::size_t c = 0; c < w.rows; c += kProductCols) {
    const std::size_t cols = std::min(kProductCols, w.rows - c);
    auto out = as_eigen(y.col_block(c, cols));
    out.setZero();
    for (std::size_t k = 0; k < w.cols; k += kProductDepth) {
      const std::size_t depth = std::min(kProductDepth, w.cols - k);
      const auto keys = as_eigen(w.row_block(c, cols).col_block(k, depth));
      out.noalias() += as_eigen(x.col_block(k, depth)) * keys.transpose();
    }
  }
}

}  // namespace rvm::detail
