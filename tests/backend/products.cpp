// Products with packed weights, on every instruction set that this processor has and on emulated matrix tiles, each
// against a plain loop.

#include <rvm/backend/cpu.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/emulated_tiles.hpp"
#include "support/levels.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"

namespace {

using rvm::bfloat16;
using rvm::Isa;
using rvm::MatrixView;
using rvm::Tensor;
using test::gelu;

// What the weights and tokens of a precision are after rounding, as plain numbers.
template <class T>
double rounded(float v) {
  return static_cast<double>(static_cast<float>(T(v)));
}

// x w + bias in double, tokens and weights as the backend has them.
template <class Element>
Tensor<double> expected(const Tensor<Element>& x, const rvm::DenseWeights& w) {
  const std::size_t rows = x.shape()[0];
  const std::size_t in = x.shape()[1];
  const std::size_t out = w.kernel.shape()[1];
  Tensor<double> y({rows, out});
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < out; ++j) {
      double sum = w.bias.empty() ? 0.0 : static_cast<double>(w.bias(j));
      for (std::size_t k = 0; k < in; ++k) {
        sum += static_cast<double>(static_cast<float>(x(i, k))) * rounded<Element>(w.kernel(k, j));
      }
      y(i, j) = sum;
    }
  }
  return y;
}

template <class Element>
Tensor<Element> tokens(test::Random& random, std::size_t rows, std::size_t in) {
  const auto numbers = random.numbers({rows, in});
  Tensor<Element> x({rows, in});
  std::transform(numbers.begin(), numbers.end(), x.begin(), [](float v) { return Element(v); });
  return x;
}

struct Size {
  std::size_t rows;
  std::size_t in;
  std::size_t out;
};

// Where a precision has nothing of what a stand-in is for, that says nothing new.
template <class T>
std::vector<test::Level> levels() {
  std::vector<test::Level> all = test::levels();
  std::erase_if(all, [](const test::Level& level) {
    const bool any =
        std::same_as<T, std::int8_t> || (std::same_as<T, bfloat16> && level.stand_in != test::StandIn::kEncoding);
    return level.stand_in != test::StandIn::kNone && !any;
  });
  return all;
}

std::vector<Size> sizes() {
  std::vector<Size> all;
  for (std::size_t rows = 1; rows <= 14; ++rows) all.push_back({rows, 12, 20});
  for (std::size_t in = 1; in <= 10; ++in) all.push_back({7, in, 65});
  for (const std::size_t out : {1U, 7U, 8U, 15U, 16U, 17U, 63U, 64U, 65U, 130U}) all.push_back({8, 24, out});
  all.push_back({257, 48, 144});  // an odd row at the end
  all.push_back({289, 16, 70});   // more rows than are taken at once
  all.push_back({13, 1030, 70});  // more depth than is taken at once, in float
  all.push_back({13, 2100, 70});  // and in bfloat16
  all.push_back({49, 600, 33});   // tiles: a block of fewer rows, a step of fewer numbers, two parts of the depth
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("products of any size, with what may follow them", "", float, bfloat16) {
  using B = rvm::Cpu<TestType>;
  const test::Level level = GENERATE(from_range(levels<TestType>()));
  const std::size_t threads = GENERATE(1U, 3U);
  const auto device = level.template device<TestType>(threads);
  typename B::Executor run(device);
  test::Random random(1);
  for (const Size& size : sizes()) {
    CAPTURE(level.name(), threads, size.rows, size.in, size.out);
    const auto x = tokens<TestType>(random, size.rows, size.in);
    const bool biased = size.rows % 2 == 1;
    const rvm::DenseWeights weights{random.numbers({size.in, size.out}, 0.3F),
                                    biased ? random.numbers({size.out}) : Tensor<float>()};
    const auto dense = device.pack(weights);
    const Tensor<double> sums = expected(x, weights);
    const MatrixView<const TestType> in(x.data(), size.rows, size.in);
    const double scale = 1 + std::sqrt(static_cast<double>(size.in));
    const double rounding = std::is_same_v<TestType, float> ? 0 : 1.0 / 256;  // of what is stored
    const double exact = 1e-6 * scale;

    // Room on both sides of every row that must stay as it is.
    constexpr std::size_t kMargin = 3;
    const std::size_t stride = size.out + 2 * kMargin;
    const auto check = [&](const auto& found, double of_itself, const auto& wanted) {
      double worst = 0;
      bool outside = true;
      for (std::size_t i = 0; i < size.rows; ++i) {
        for (std::size_t j = 0; j < stride; ++j) {
          const auto value = static_cast<double>(static_cast<float>(found(i, j)));
          if (j < kMargin || j >= kMargin + size.out) {
            outside = outside && value == 9.0;
          } else {
            const double target = wanted(i, j - kMargin);
            worst = std::max(worst, std::abs(value - target) - of_itself * std::abs(target));
          }
        }
      }
      CHECK(worst < exact);
      CHECK(outside);
    };
    const auto room = [&]<class Out>(Out) {
      Tensor<Out> y({size.rows, stride});
      std::fill(y.begin(), y.end(), Out(9.0F));
      return y;
    };
    const auto inner = [&](auto& y) { return MatrixView(y.data(), size.rows, stride).col_block(kMargin, size.out); };

    auto y = room(TestType{});
    run.dense(in, dense, inner(y), rvm::Activation::kNone);
    check(y, rounding, sums);
    y = room(TestType{});
    run.dense(in, dense, inner(y), rvm::Activation::kGelu);
    check(y, rounding, [&](std::size_t i, std::size_t j) { return gelu(sums(i, j)); });
    auto wide = room(0.0F);
    run.dense_add(in, dense, inner(wide));
    check(wide, 0, [&](std::size_t i, std::size_t j) { return 9 + sums(i, j); });
    wide = room(0.0F);
    run.dense(in, dense, inner(wide));
    check(wide, 0, sums);
  }
  CHECK(test::EmulatedTiles::faults() == 0);
  CHECK(test::EmulatedTiles::in_use() == 0);
}

TEST_CASE("bytes: whole numbers are exact, others as fine as a byte") {
  using B = rvm::Cpu<std::int8_t>;
  const test::Level level = GENERATE(from_range(levels<std::int8_t>()));
  const B::Device device = level.device<std::int8_t>(2);
  B::Executor run(device);
  const auto steps = static_cast<float>(device.level().byte_products->byte_steps);
  test::Random random(2);
  for (const Size& size : sizes()) {
    CAPTURE(level.name(), size.rows, size.in, size.out);
    // Tokens that are bytes with scale 1, and weights whose scale is 1: nothing is rounded.
    Tensor<bfloat16> x({size.rows, size.in});
    Tensor<float> kernel({size.in, size.out});
    for (bfloat16& v : x) v = bfloat16(std::floor((random.number() + 1) * 0.49F * steps) - 50.0F);
    for (float& v : kernel) v = std::floor(random.number() * 127.0F);
    for (std::size_t i = 0; i < size.rows; ++i) {
      x(i, 0) = bfloat16(-50.0F);
      if (size.in > 1) x(i, 1) = bfloat16(steps - 50.0F);
    }
    for (std::size_t j = 0; j < size.out; ++j) kernel(size.in - 1, j) = 127.0F;
    if (size.in == 1) continue;
    const rvm::DenseWeights weights{kernel, random.numbers({size.out})};
    const auto dense = device.pack(weights);
    REQUIRE(dense.bytes.has_value());
    Tensor<float> y({size.rows, size.out});
    run.dense(MatrixView<const bfloat16>(x.data(), size.rows, size.in), dense,
              MatrixView<float>(y.data(), size.rows, size.out));
    Tensor<double> sums({size.rows, size.out});
    for (std::size_t i = 0; i < size.rows; ++i) {
      for (std::size_t j = 0; j < size.out; ++j) {
        sums(i, j) = static_cast<double>(weights.bias(j));
        for (std::size_t k = 0; k < size.in; ++k) {
          sums(i, j) += static_cast<double>(static_cast<float>(x(i, k))) * static_cast<double>(kernel(k, j));
        }
      }
    }
    double worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double wanted = sums.data()[i];
      worst = std::max(worst, std::abs(static_cast<double>(y.data()[i]) - wanted) / (100 + std::abs(wanted)));
    }
    CHECK(worst < 1e-3);
  }
  CHECK(test::EmulatedTiles::faults() == 0);
  CHECK(test::EmulatedTiles::in_use() == 0);
}

TEST_CASE("results do not depend on the number of threads") {
  const test::Level level = GENERATE(from_range(levels<std::int8_t>()));
  test::Random random(3);
  const auto x = tokens<bfloat16>(random, 530, 96);
  const rvm::DenseWeights weights{random.numbers({96, 200}), random.numbers({200})};
  const auto multiply = [&](std::size_t threads) {
    using B = rvm::Cpu<std::int8_t>;
    const B::Device device = level.device<std::int8_t>(threads);
    B::Executor run(device);
    std::vector<float> y(530 * 200);
    run.dense(MatrixView<const bfloat16>(x.data(), 530, 96), device.pack(weights),
              MatrixView<float>(y.data(), 530, 200));
    return y;
  };
  const auto one = multiply(1);
  CHECK((multiply(2) == one));
  CHECK((multiply(7) == one));
}

TEST_CASE("tiles are bit for bit as their emulation says") {
  if (test::instruction_sets().back() != Isa::kAmx) return;  // nothing to compare with
  test::Random random(5);
  const auto check = [&]<class T>(T) {
    for (const Size& size : sizes()) {
      const auto x = tokens<bfloat16>(random, size.rows, size.in);
      const rvm::DenseWeights weights{random.numbers({size.in, size.out}), random.numbers({size.out})};
      const auto multiply = [&](const test::Level& level) {
        const auto device = level.device<T>(2);
        typename rvm::Cpu<T>::Executor run(device);
        std::vector<float> y(size.rows * size.out);
        run.dense(MatrixView<const bfloat16>(x.data(), size.rows, size.in), device.pack(weights),
                  MatrixView<float>(y.data(), size.rows, size.out));
        return y;
      };
      CAPTURE(size.rows, size.in, size.out);
      CHECK((multiply({Isa::kAmx}) == multiply(test::emulated_amx())));
    }
  };
  check(bfloat16());
  check(std::int8_t());
}

TEST_CASE("bytes: weights that are not finite spoil their column, and no more depth than 32 bits hold is taken") {
  using B = rvm::Cpu<std::int8_t>;
  const test::Level level = GENERATE(from_range(levels<std::int8_t>()));
  const float bad =
      GENERATE(as<float>(), std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  const B::Device device = level.device<std::int8_t>(1);
  B::Executor run(device);
  CAPTURE(level.name(), bad);
  test::Random random(6);
  rvm::DenseWeights weights{random.numbers({24, 40}), random.numbers({40})};
  weights.kernel(5, 17) = bad;
  const auto x = tokens<bfloat16>(random, 3, 24);
  std::vector<float> y(3 * 40);
  run.dense(MatrixView<const bfloat16>(x.data(), 3, 24), device.pack(weights), MatrixView<float>(y.data(), 3, 40));
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::isnan(y[i]) == (i % 40 == 17));
  CHECK(device.pack(rvm::DenseWeights{Tensor<float>({rvm::detail::kByteDepth, 1}), {}}).bytes.has_value());
  CHECK(device.pack(rvm::DenseWeights{Tensor<float>({rvm::detail::kByteDepth + 1, 1}), {}}).element.has_value());
}

TEST_CASE("a sensitive layer is not put into bytes, and bfloat16 on other processors is said") {
  using B = rvm::Cpu<std::int8_t>;
  const B::Device device({.threads = 1, .isa = Isa::kPortable});
  CHECK(device.isa() == Isa::kPortable);
  CHECK_THAT(device.notice(), ContainsSubstring("no bfloat16 units"));
  CHECK_THAT(device.description(), ContainsSubstring("portable; this processor"));
  test::Random random(4);
  const auto dense = device.pack(rvm::DenseWeights{random.numbers({8, 8}), {}, true});
  CHECK(dense.element.has_value());
  CHECK_FALSE(dense.bytes.has_value());
  const rvm::Cpu<float>::Device exact({.threads = 1, .isa = {}});
  CHECK(exact.notice().empty());
  CHECK(exact.isa() == rvm::best_isa(Isa::kAvx512Bf16));  // AMX has nothing for floats
}
