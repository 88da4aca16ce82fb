// Layer norm and the gates on the GPU, their code executed here, against plain loops in double.

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <rvm/backend/cuda/operations.hpp>

#include "support/catch.hpp"
#include "support/cuda_kernels.hpp"
#include "support/random.hpp"

namespace cuda = rvm::detail::cuda;
using test::Doubles;
using test::Float8;
using test::Strided;

namespace {

/// A layer norm's parameters, with or without a bias, aligned or not.
struct Norm {
  Norm(test::Random& random, std::size_t width, bool biased, bool aligned)
      : scale(random, 1, width, aligned), bias(random, 1, width, aligned) {
    for (std::size_t j = 0; j < width; ++j) scale.view.data[j] += 1.5F;
    parameters = {scale.view.data, biased ? bias.view.data : nullptr, 1e-2F};
  }

  Doubles operator()(const Doubles& x) const {
    const std::size_t n = scale.cols();
    Doubles out;
    for (std::size_t first = 0; first < x.size(); first += n) {
      const auto row = x.begin() + static_cast<std::ptrdiff_t>(first);
      const Doubles standard = test::normed({row, row + static_cast<std::ptrdiff_t>(n)}, 1e-2);
      for (std::size_t j = 0; j < n; ++j) {
        out.push_back(standard[j] * scale(0, j) + (parameters.bias == nullptr ? 0 : bias(0, j)));
      }
    }
    return out;
  }

  Strided<float> scale;
  Strided<float> bias;
  cuda::NormParameters parameters;
};

/// Sizes that take every path: a few lanes, all of them, each number of vectors held, and more than are held.
std::size_t some_width() {
  return GENERATE(1U, 3U, 48U, 70U, 512U, 516U, 1024U, 1280U, 1600U);
}

}  // namespace

TEMPLATE_TEST_CASE("layer norm", "", float, rvm::bfloat16, rvm::float16) {
  test::Random random(1);
  const std::size_t width = some_width();
  const bool aligned = GENERATE(true, false);
  const std::size_t rows = width == 48 ? 35 : 3;
  CAPTURE(width, aligned);
  const Norm norm(random, width, width != 70, aligned);
  const Strided<float> x(random, rows, width, aligned, 2.0F);
  Strided<TestType> y(random, rows, width, aligned);
  test::launch_in_every_order([&] { return cuda::layer_norm<TestType>(nullptr, x.in(), norm.parameters, y.view); }, y);
  CHECK(test::error(y, norm(x.values())) <= 1);
}

TEST_CASE("layer norm: in place, and far from zero") {
  test::Random random(2);
  const std::size_t width = some_width();
  const bool aligned = GENERATE(true, false);
  CAPTURE(width, aligned);
  const Norm norm(random, width, true, aligned);
  Strided<float> x(random, 3, width, aligned, 2.0F);
  for (std::size_t j = 0; j < width; ++j) x.view.row(1)[j] += 100.0F;
  const Doubles before = x.values();
  test::launch_in_every_order([&] { return cuda::layer_norm<float>(nullptr, x.in(), norm.parameters, x.view); }, x);
  CHECK(test::error(x, norm(before), 4e-5) <= 1);
}

TEST_CASE("layer norm: what is not finite stays in its row") {
  test::Random random(3);
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  const Norm norm(random, 384, true, true);
  Strided<float> x(random, 3, 384, true);
  x.view.row(1)[200] = bad;
  Strided<float> y(random, 3, 384, true);
  REQUIRE(cuda::layer_norm<float>(nullptr, x.in(), norm.parameters, y.view) == 0);
  for (std::size_t j = 0; j < 384; ++j) {
    CHECK(std::isfinite(y(0, j)));
    CHECK(std::isfinite(y(2, j)));
  }
  CHECK(std::isnan(y(1, 200)));
  CHECK(std::isnan(y(1, 0)));
}

TEST_CASE("layer norm to Float8") {
  test::Random random(5);
  const std::size_t width = some_width();
  const bool aligned = GENERATE(true, false);
  CAPTURE(width, aligned);
  const Norm norm(random, width, true, aligned);
  Strided<float> x(random, 3, width, aligned, 2.0F);
  for (std::size_t j = 0; j < width; ++j) x.view.row(1)[j] = 0.5F;  // nothing but the bias
  const Doubles expected = norm(x.values());
  Strided<Float8> y(random, 3, width, aligned);
  Strided<float> scales(random, 1, 3, false);

  SECTION("a scale for each row") {
    test::launch_in_every_order(
        [&] { return cuda::layer_norm(nullptr, x.in(), norm.parameters, y.view, {.per_row = scales.view.data}); }, y,
        scales);
    for (std::size_t i = 0; i < 3; ++i) {
      double largest = 0;
      for (std::size_t j = 0; j < width; ++j) largest = std::max(largest, std::abs(expected[i * width + j]));
      CHECK(scales(0, i) == Approx(largest / 448).epsilon(1e-4));
      CHECK(test::nearest_float8(y, i, scales(0, i), expected));
    }
  }
  SECTION("one scale for all, some numbers saturating") {
    const float scale = 0.004F;
    test::launch_in_every_order(
        [&] { return cuda::layer_norm(nullptr, x.in(), norm.parameters, y.view, {.fixed = &scale}); }, y);
    for (std::size_t i = 0; i < 3; ++i) CHECK(test::nearest_float8(y, i, static_cast<double>(scale), expected));
  }
}

TEMPLATE_TEST_CASE("the gates", "", float, rvm::bfloat16, rvm::float16) {
  test::Random random(6);
  const std::size_t width = some_width();
  const bool aligned = GENERATE(true, false);
  CAPTURE(width, aligned);
  const Norm norm(random, width, width != 512, aligned);
  const Strided<float> a(random, 3, width, aligned, 3.0F);
  const Strided<float> b(random, 3, width, aligned, 3.0F);
  Strided<float> state(random, 3, width, aligned);
  const Strided<float> x(random, 3, width, aligned, 2.0F);
  const Doubles state_normed = norm(state.values());
  const Doubles x_normed = norm(x.values());
  Doubles reset;
  Doubles update;
  for (std::size_t i = 0; i < 3 * width; ++i) {
    const double gate = test::sigmoid(a(i / width, i % width) + b(i / width, i % width));
    reset.push_back(gate * state_normed[i]);
    update.push_back((1 - gate) * state(i / width, i % width) + gate * x_normed[i]);
  }
  Strided<TestType> memory(random, 3, width, aligned);
  test::launch_in_every_order(
      [&] { return cuda::reset_gate<TestType>(nullptr, a.in(), b.in(), state.in(), norm.parameters, memory.view); },
      memory);
  CHECK(test::error(memory, reset) <= 1);
  Strided<float> next(random, 3, width, aligned);
  test::launch_in_every_order(
      [&] { return cuda::update_gate(nullptr, a.in(), b.in(), state.in(), x.in(), norm.parameters, next.view); }, next);
  CHECK(test::error(next, update) <= 1);
  test::launch_in_every_order(
      [&] { return cuda::update_gate(nullptr, a.in(), b.in(), state.in(), x.in(), norm.parameters, state.view); },
      state);
  CHECK(test::error(state, update) <= 1);
}

TEST_CASE("gates far from zero neither overflow nor leak") {
  test::Random random(7);
  const Norm norm(random, 48, true, true);
  Strided<float> a(random, 2, 48, true);
  Strided<float> b(random, 2, 48, true);
  for (std::size_t j = 0; j < 48; ++j) {
    a.view.row(0)[j] = b.view.row(0)[j] = 1000.0F;
    a.view.row(1)[j] = b.view.row(1)[j] = -1000.0F;
  }
  const Strided<float> state(random, 2, 48, true);
  const Strided<float> x(random, 2, 48, true);
  Strided<float> next(random, 2, 48, true);
  REQUIRE(cuda::update_gate(nullptr, a.in(), b.in(), state.in(), x.in(), norm.parameters, next.view) == 0);
  Doubles expected = norm(x.values());
  for (std::size_t j = 0; j < 48; ++j) expected[48 + j] = state(1, j);
  CHECK(test::error(next, expected) <= 1);
}

TEST_CASE("nothing is launched for nothing") {
  test::Random random(8);
  const Norm norm(random, 8, true, true);
  const rvm::MatrixView<float> none(nullptr, 0, 8);
  CHECK(cuda::layer_norm<float>(nullptr, none, norm.parameters, none) == 0);
  CHECK(cuda::update_gate(nullptr, none, none, none, none, norm.parameters, none) == 0);
}
