#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include <rvm/core/tensor.hpp>

#include "support/catch.hpp"

using rvm::Shape;
using rvm::Tensor;
using rvm::TensorView;

namespace {

Tensor<int> counted(const Shape& shape) {
  Tensor<int> tensor(shape);
  std::iota(tensor.begin(), tensor.end(), 0);
  return tensor;
}

constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();

}  // namespace

TEST_CASE("a shape is a value") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape[1] == 3);
  CHECK(shape.elements() == 24);
  CHECK(shape == Shape(std::vector<std::size_t>{2, 3, 4}));
  CHECK(shape != Shape{2, 3});
  CHECK(shape != Shape{2, 3, 4, 1});
  CHECK(Shape{} != Shape{0});
  CHECK(std::vector<std::size_t>(shape.begin(), shape.end()) == std::vector<std::size_t>{2, 3, 4});
}

TEST_CASE("a shape prints as in numpy") {
  CHECK(to_string(Shape{257, 384}) == "(257, 384)");
  CHECK(to_string(Shape{5}) == "(5,)");
  CHECK(to_string(Shape{}) == "()");
}

TEST_CASE("a scalar shape has one element, a shape with an empty axis none") {
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{4, 0, 4}.elements() == 0);
}

TEST_CASE("a shape refuses too many axes and too many elements") {
  CHECK_NOTHROW(Shape{1, 1, 1, 1, 1, 1, 1, 1});
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), rvm::ArgumentError);
  CHECK(Shape{kMax}.elements() == kMax);
  CHECK_THROWS_AS((Shape{kMax, 2}.elements()), rvm::ArgumentError);
  CHECK_THROWS_AS((Shape{std::size_t{1} << 32, std::size_t{1} << 32}.elements()), rvm::ArgumentError);
}

TEST_CASE("a view is row-major") {
  std::array<int, 6> numbers{0, 1, 2, 3, 4, 5};
  const TensorView<int> view(numbers.data(), {2, 3});
  CHECK(view.size() == 6);
  CHECK(view(0, 2) == 2);
  CHECK(view(1, 0) == 3);
  CHECK(view[1].shape() == Shape{3});
  CHECK(view[1](2) == 5);
  CHECK(view.span().data() == numbers.data());
  view(1, 1) = 40;
  CHECK(numbers[4] == 40);
}

TEST_CASE("a view of mutable elements turns into one of const elements, not back") {
  std::array<int, 2> numbers{7, 8};
  const TensorView<const int> view = TensorView<int>(numbers.data(), {2});
  CHECK(view(1) == 8);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<TensorView<const int>, TensorView<int>>);
}

TEST_CASE("a view reshapes to as many elements only") {
  Tensor<int> tensor = counted({2, 6});
  const TensorView<int> view = tensor.view().reshape({3, 2, 2});
  CHECK(view(2, 1, 0) == 10);
  CHECK(view.data() == tensor.data());
  CHECK_THROWS_AS(tensor.view().reshape({5, 2}), rvm::ArgumentError);
  CHECK_THROWS_WITH(tensor.view().reshape({13}), ContainsSubstring("(2, 6)") && ContainsSubstring("(13,)"));
}

TEST_CASE("a view without memory is empty") {
  CHECK(TensorView<float>().empty());
  CHECK(TensorView<float>(nullptr, {0, 4}).empty());
}

TEST_CASE("a tensor is zero at birth and aligned") {
  const Tensor<float> tensor({3, 5});
  CHECK(std::all_of(tensor.begin(), tensor.end(), [](float value) { return value == 0.0F; }));
  for (const std::size_t size : {1U, 3U, 17U, 1000U}) {
    const Tensor<std::uint8_t> bytes({size});
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % Tensor<std::uint8_t>::kAlignment == 0);
  }
}

TEST_CASE("a tensor without elements holds no memory") {
  CHECK(Tensor<float>().empty());
  CHECK(Tensor<float>().shape() == Shape{0});
  const Tensor<float> tensor({2, 0});
  CHECK(tensor.empty());
  CHECK(tensor.data() == nullptr);
  CHECK(tensor.shape() == Shape{2, 0});
  CHECK(Tensor<float>(Shape{}).size() == 1);
}

TEST_CASE("a tensor refuses a size in bytes that does not fit") {
  CHECK_THROWS_AS(Tensor<double>({kMax / 4}), rvm::ArgumentError);
  CHECK_THROWS_AS(Tensor<double>({kMax, kMax}), rvm::ArgumentError);
}

TEST_CASE("copies of a tensor are deep") {
  Tensor<int> tensor = counted({2, 3});
  const Tensor<int> copy = tensor;
  Tensor<int> assigned({9});
  assigned = tensor;
  tensor(1, 2) = 50;
  CHECK(copy(1, 2) == 5);
  CHECK(assigned(1, 2) == 5);
  CHECK(assigned.shape() == Shape{2, 3});
  tensor = *&tensor;
  CHECK(tensor(1, 2) == 50);
}

TEST_CASE("a tensor that was moved from is empty") {
  Tensor<int> tensor = counted({2, 3});
  const int* const data = tensor.data();
  Tensor<int> moved = std::move(tensor);
  CHECK(moved.data() == data);
  CHECK(moved(1, 0) == 3);
  CHECK(tensor.empty());
  CHECK(tensor.shape() == Shape{0});
  tensor = std::move(moved);
  CHECK(tensor(1, 2) == 5);
  CHECK(moved.empty());
}

TEST_CASE("a tensor is a view where one is asked for") {
  Tensor<int> tensor = counted({2, 2});
  const Tensor<int>& constant = tensor;
  const TensorView<int> view = tensor;
  const TensorView<const int> const_view = constant;
  CHECK(view.data() == tensor.data());
  CHECK(const_view(1, 1) == 3);
  CHECK(constant[1](0) == 2);
  tensor[0](1) = 9;
  CHECK(constant(0, 1) == 9);
}
