// Numbers to Float8 on the GPU, the code executed here, against plain loops in double.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <rvm/backend/cuda/operations.hpp>

#include "support/catch.hpp"
#include "support/cuda_kernels.hpp"
#include "support/random.hpp"

namespace cuda = rvm::detail::cuda;
using test::Doubles;
using test::Float8;
using test::Strided;

TEMPLATE_TEST_CASE("Float8, from numbers and through gelu", "", float, rvm::bfloat16, rvm::float16) {
  test::Random random(1);
  const std::size_t width = GENERATE(1U, 70U, 1024U, 1280U, 5120U, 6148U);
  const bool aligned = GENERATE(true, false);
  const bool through_gelu = GENERATE(true, false);
  CAPTURE(width, aligned, through_gelu);
  const std::size_t rows = 3;
  Strided<TestType> x(random, rows, width, aligned, 6.0F);
  std::fill_n(x.view.row(1), width, TestType(0.0F));
  const Strided<float> bias(random, 1, width, aligned);
  const float* const shift = width == 1024 ? nullptr : bias.view.data;
  Doubles expected = x.values();
  if (through_gelu) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = test::gelu(expected[i] + (shift == nullptr ? 0 : bias(0, i % width)));
    }
  }
  Strided<Float8> y(random, rows, width, aligned);
  const auto quantise = [&](cuda::Float8Scale scale) {
    return through_gelu ? cuda::gelu<TestType>(nullptr, x.in(), shift, y.view, scale)
                        : cuda::convert<TestType>(nullptr, x.in(), y.view, scale);
  };

  Strided<float> scales(random, 1, rows, false);
  test::launch_in_every_order([&] { return quantise({.per_row = scales.view.data}); }, y, scales);
  for (std::size_t i = 0; i < rows; ++i) {
    double largest = 0;
    for (std::size_t j = 0; j < width; ++j) largest = std::max(largest, std::abs(expected[i * width + j]));
    CHECK(scales(0, i) == Approx(largest == 0 ? 1 : largest / 448).epsilon(1e-5));
    CHECK(test::nearest_float8(y, i, scales(0, i), expected));
  }

  const float scale = 0.01F;  // the largest saturate
  test::launch_in_every_order([&] { return quantise({.fixed = &scale}); }, y);
  for (std::size_t i = 0; i < rows; ++i) CHECK(test::nearest_float8(y, i, static_cast<double>(scale), expected));
}
