#include <rvm/core/matrix.hpp>

#include <array>
#include <type_traits>

#include "support/catch.hpp"

using rvm::MatrixView;

TEST_CASE("blocks of a matrix keep its stride") {
  std::array<int, 24> numbers{};
  for (int i = 0; i < 24; ++i) numbers[static_cast<std::size_t>(i)] = i;
  const MatrixView<int> matrix(numbers.data(), 3, 6, 8);
  CHECK(*matrix.row(2) == 16);
  const MatrixView<int> block = matrix.row_block(1, 2).col_block(2, 3);
  CHECK(block.rows == 2);
  CHECK(block.cols == 3);
  CHECK(block.row(0)[0] == 10);
  CHECK(block.row(1)[2] == 20);
  CHECK(MatrixView<int>(numbers.data(), 4, 6).stride == 6);
}

TEST_CASE("a matrix of mutable elements is also one of const elements, not back") {
  int number = 7;
  const MatrixView<const int> matrix = MatrixView<int>(&number, 1, 1);
  CHECK(*matrix.row(0) == 7);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<MatrixView<const int>, MatrixView<int>>);
}
