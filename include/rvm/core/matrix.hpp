#pragma once

#include <concepts>
#include <cstddef>

namespace rvm {

/// Non-owning view of rows x cols elements whose rows lie `stride` elements apart. What layers hand to a backend: an
/// address, which may be one of device memory. Cheap to copy; not checked.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;

  MatrixView() = default;
  MatrixView(T* data_, std::size_t rows_, std::size_t cols_) : MatrixView(data_, rows_, cols_, cols_) {}
  MatrixView(T* data_, std::size_t rows_, std::size_t cols_, std::size_t stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {}
  /// A view of mutable elements is also one of const elements.
  template <class U>
  requires std::same_as<const U, T> MatrixView(const MatrixView<U>& other)
      : MatrixView(other.data, other.rows, other.cols, other.stride) {}

  /// `count` rows from `first` on.
  MatrixView row_block(std::size_t first, std::size_t count) const {
    return {data + first * stride, count, cols, stride};
  }
  /// `count` columns from `first` on, of every row.
  MatrixView col_block(std::size_t first, std::size_t count) const { return {data + first, rows, count, stride}; }
  T* row(std::size_t i) const { return data + i * stride; }
};

}  // namespace rvm
