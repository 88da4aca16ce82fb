// What the GPU does to numbers one by one, its code executed here, against plain loops.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <rvm/backend/cuda/operations.hpp>

#include "support/catch.hpp"
#include "support/cuda_kernels.hpp"
#include "support/random.hpp"

namespace cuda = rvm::detail::cuda;
using test::Doubles;
using test::Strided;

namespace {

struct Sizes {
  std::size_t rows = GENERATE(1U, 5U);
  std::size_t cols = GENERATE(1U, 70U, 256U, 260U, 1024U);
  bool aligned = GENERATE(true, false);
};

}  // namespace

TEMPLATE_TEST_CASE("casts", "", rvm::bfloat16, rvm::float16) {
  test::Random random(1);
  const Sizes s;
  CAPTURE(s.rows, s.cols, s.aligned);
  const Strided<float> x(random, s.rows, s.cols, s.aligned, 3.0F);
  Strided<TestType> y(random, s.rows, s.cols, s.aligned);
  test::launch_in_every_order([&] { return cuda::convert<float, TestType>(nullptr, x.in(), y.view); }, y);
  for (std::size_t i = 0; i < s.rows; ++i) {
    for (std::size_t j = 0; j < s.cols; ++j) REQUIRE(y.view.row(i)[j] == TestType(x.view.row(i)[j]));
  }
  Strided<float> back(random, s.rows, s.cols, s.aligned);
  test::launch_in_every_order([&] { return cuda::convert<TestType, float>(nullptr, y.in(), back.view); }, back);
  CHECK(back.values() == y.values());
}

TEMPLATE_TEST_CASE("a product's bias and gelu", "", float, rvm::bfloat16, rvm::float16) {
  test::Random random(2);
  const Sizes s;
  const bool biased = GENERATE(true, false);
  const bool through_gelu = GENERATE(true, false);
  CAPTURE(s.rows, s.cols, s.aligned, biased, through_gelu);
  Strided<TestType> y(random, s.rows, s.cols, s.aligned, 6.0F);
  const Strided<TestType> bias(random, 1, s.cols, s.aligned);
  Doubles expected;
  for (std::size_t i = 0; i < s.rows; ++i) {
    for (std::size_t j = 0; j < s.cols; ++j) {
      const double sum = y(i, j) + (biased ? bias(0, j) : 0);
      expected.push_back(through_gelu ? test::gelu(sum) : sum);
    }
  }
  const TestType* const shift = biased ? bias.view.data : nullptr;
  test::launch_in_every_order([&] { return cuda::finish_product<TestType>(nullptr, y.view, shift, through_gelu); }, y);
  CHECK(test::error(y, expected) <= 1);
}

TEST_CASE("gelu far from zero") {
  test::Random random(3);
  Strided<float> y(random, 1, 4, true);
  const float numbers[] = {-1e30F, -100.0F, 100.0F, 1e10F};
  std::copy_n(numbers, 4, y.view.data);
  REQUIRE(cuda::finish_product<float>(nullptr, y.view, nullptr, true) == 0);
  CHECK(y.values() == Doubles{0, 0, 100, static_cast<double>(1e10F)});
}

TEST_CASE("a table is repeated for every frame") {
  test::Random random(5);
  const Sizes s;
  CAPTURE(s.rows, s.cols, s.aligned);
  const Strided<float> table(random, s.rows, s.cols, s.aligned);
  Strided<float> x(random, 3 * s.rows, s.cols, s.aligned);
  test::launch_in_every_order([&] { return cuda::repeat_rows(nullptr, table.in(), x.view); }, x);
  for (std::size_t i = 0; i < x.rows(); ++i) {
    for (std::size_t j = 0; j < s.cols; ++j) REQUIRE(x(i, j) == table(i % s.rows, j));
  }
}

TEST_CASE("the flag is raised for what is not finite, wherever it is, and for nothing else") {
  test::Random random(6);
  const Sizes s;
  CAPTURE(s.rows, s.cols, s.aligned);
  Strided<float> x(random, s.rows, s.cols, s.aligned);
  for (std::size_t i = 0; i < s.rows; ++i) x.view.row(i)[s.cols] = NAN;  // beside the matrix
  const std::size_t row = random.between(0, s.rows - 1);
  float& number = x.view.row(row)[random.between(0, s.cols - 1)];
  const auto flag_for = [&](float value) {
    number = value;
    std::uint32_t flag = 0;
    REQUIRE(cuda::find_not_finite(nullptr, x.in(), &flag) == 0);
    return flag;
  };
  CHECK(flag_for(std::numeric_limits<float>::max()) == 0);
  CHECK(flag_for(std::numeric_limits<float>::lowest()) == 0);
  CHECK(flag_for(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(flag_for(std::numeric_limits<float>::quiet_NaN()) == 1);
  CHECK(flag_for(std::numeric_limits<float>::infinity()) == 1);
  CHECK(flag_for(-std::numeric_limits<float>::infinity()) == 1);
  number = 0;
  std::uint32_t flag = 1;
  REQUIRE(cuda::find_not_finite(nullptr, x.in(), &flag) == 0);
  CHECK(flag == 1);  // it is not lowered
}
