// Every operation of a backend against plain loops in double, over sizes around its blocks.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <rvm/backend/concept.hpp>
#include <rvm/image/patches.hpp>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"
#include "support/tiled_backends.hpp"

namespace {

constexpr double kExactLimit = 1e-5;

using test::Doubles;
using test::gelu;
using test::sigmoid;

/// A matrix in the middle of a wider one, so that a stride that is ignored shows.
template <class T>
struct Strided {
  Strided(rvm::Tensor<T> wide_, std::size_t cols)
      : wide(std::move(wide_)), view(wide.data() + 3, wide.shape()[0], cols, wide.shape()[1]) {}
  Strided(test::Random& random, std::size_t rows, std::size_t cols, float scale = 1.0F)
      : Strided(random_numbers(random, {rows, cols + 5}, scale), cols) {}
  Strided(const Strided&) = delete;
  Strided& operator=(const Strided&) = delete;

  static rvm::Tensor<T> random_numbers(test::Random& random, const rvm::Shape& shape, float scale) {
    rvm::Tensor<T> out(shape);
    for (T& v : out) v = T(random.number(scale));
    return out;
  }

  double operator()(std::size_t i, std::size_t j) const {
    return static_cast<double>(static_cast<float>(view.row(i)[j]));
  }
  /// Whether nothing beside the matrix has changed.
  bool margins_equal(const rvm::Tensor<T>& before) const {
    for (std::size_t i = 0; i < wide.shape()[0]; ++i) {
      for (std::size_t j = 0; j < wide.shape()[1]; ++j) {
        if ((j < 3 || j >= 3 + view.cols) && wide(i, j) != before(i, j)) return false;
      }
    }
    return true;
  }

  rvm::Tensor<T> wide;
  rvm::MatrixView<T> view;
};

/// A backend at work on matrices of the host.
template <class B>
struct Bench {
  /// Where the backend finds numbers: where they are, or in a copy in its own memory, which fetch() brings back.
  template <class T>
  T* place(const rvm::Tensor<T>& tensor) {
    if constexpr (B::kHostMemory) {
      return const_cast<T*>(tensor.data());
    } else {
      std::vector<float> words((tensor.size() * sizeof(T) + 3) / 4);
      std::memcpy(words.data(), tensor.data(), tensor.size() * sizeof(T));
      auto copy = std::make_shared<typename B::template Buffer<float>>(device, words.size());
      run.write(words, copy->data());
      copies[tensor.data()] = copy;
      return reinterpret_cast<T*>(copy->data());
    }
  }
  template <class T>
  void fetch(rvm::Tensor<T>& tensor) {
    if constexpr (!B::kHostMemory) {
      std::vector<float> words(copies.at(tensor.data())->size());
      run.read(copies.at(tensor.data())->data(), words);
      std::memcpy(static_cast<void*>(tensor.data()), words.data(), tensor.size() * sizeof(T));
    }
  }
  template <class T>
  rvm::MatrixView<T> at(const Strided<T>& matrix) {
    return {place(matrix.wide) + 3, matrix.view.rows, matrix.view.cols, matrix.view.stride};
  }
  template <class T>
  void fetch(Strided<T>& matrix) {
    fetch(matrix.wide);
  }

  typename B::Device device{test::threads<B>(3)};  // as many as leave work uneven
  typename B::Executor run{device};
  std::map<const void*, std::shared_ptr<typename B::template Buffer<float>>> copies;
};

/// How far a matrix is off. What is stored as float is exact to rounding, whatever the products read.
template <class T>
double error(const Strided<T>& found, const Doubles& expected, double slack = 0) {
  Doubles values;
  for (std::size_t i = 0; i < found.view.rows; ++i) {
    for (std::size_t j = 0; j < found.view.cols; ++j) values.push_back(found(i, j));
  }
  if constexpr (std::same_as<T, float>) return test::difference(values, expected);
  // A rounding to 8 bits.
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, (std::abs(values[i] - expected[i]) - slack) / (std::abs(expected[i]) + 0.01));
  }
  return worst * 0x1p8 * kExactLimit;
}

/// How far a matrix is off as a whole: the root mean square of the difference over that of the numbers.
template <class T>
double relative_error(const Strided<T>& found, const Doubles& expected) {
  double off = 0;
  double size = 1e-3;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    off += std::pow(found(i / found.view.cols, i % found.view.cols) - expected[i], 2);
    size += expected[i] * expected[i];
  }
  return std::sqrt(off / size);
}

/// As error, of a dense layer, which may multiply bytes.
template <class B, class T>
double dense_error(const Strided<T>& found, const Doubles& expected, double slack = 0) {
  if constexpr (test::kBytes<B>) {
    return relative_error(found, expected) / 0.02 * kExactLimit;
  } else {
    return error(found, expected, slack);
  }
}

/// Row i of x, normalised.
Doubles norm_row(const Strided<float>& x, std::size_t i, const rvm::NormWeights& norm) {
  const float* const row = x.view.row(i);
  Doubles out = test::normed({row, row + x.view.cols}, static_cast<double>(norm.epsilon));
  for (std::size_t j = 0; j < out.size(); ++j) {
    out[j] *= static_cast<double>(norm.scale(j));
    if (!norm.bias.empty()) out[j] += static_cast<double>(norm.bias(j));
  }
  return out;
}

rvm::NormWeights random_norm(test::Random& random, std::size_t width, bool biased) {
  rvm::NormWeights norm{random.numbers({width}), biased ? random.numbers({width}) : rvm::Tensor<float>(), 1e-2F};
  for (float& v : norm.scale) v += 1.5F;
  return norm;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("dense: products with bias, GELU or a sum", "", test::TiledBackends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  test::Random random(1);
  const std::size_t rows = GENERATE(1U, 17U, 191U, 257U, 400U);
  const auto [depth, cols] =
      GENERATE(table<std::size_t, std::size_t>({{1, 1}, {48, 7}, {127, 256}, {129, 255}, {257, 33}, {300, 513}}));
  CAPTURE(rows, depth, cols);
  const Strided<Element> x(random, rows, depth);
  rvm::Tensor<float> kernel = random.numbers({depth, cols}, 2.0F / std::sqrt(static_cast<float>(depth)));
  for (float& v : kernel) v = static_cast<float>(Element(v));
  const bool biased = random.between(0, 1) == 0;
  rvm::Tensor<float> bias = biased ? random.numbers({cols}) : rvm::Tensor<float>();
  if (test::kRoundsBias<TestType>) {
    for (float& v : bias) v = static_cast<float>(Element(v));
  }
  const typename TestType::Dense packed = bench.device.pack(rvm::DenseWeights{kernel, bias});

  Doubles product(rows * cols);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      double sum = biased ? static_cast<double>(bias(j)) : 0;
      for (std::size_t k = 0; k < depth; ++k) sum += x(i, k) * static_cast<double>(kernel(k, j));
      product[i * cols + j] = sum;
    }
  }
  Strided<float> y(random, rows, cols);
  const rvm::Tensor<float> before = y.wide;
  const auto x_there = bench.at(x);
  bench.run.dense(x_there, packed, bench.at(y));
  bench.fetch(y);
  CHECK(dense_error<TestType>(y, product) < kExactLimit);
  CHECK(y.margins_equal(before));

  Strided<Element> operand(random, rows, cols);
  bench.run.dense(x_there, packed, bench.at(operand), rvm::Activation::kNone);
  bench.fetch(operand);
  CHECK(dense_error<TestType>(operand, product) < kExactLimit);

  Strided<Element> activated(random, rows, cols);
  const auto activated_before = activated.wide;
  bench.run.dense(x_there, packed, bench.at(activated), rvm::Activation::kGelu);
  bench.fetch(activated);
  Doubles expected = product;
  for (double& v : expected) v = gelu(v);
  CHECK(dense_error<TestType>(activated, expected, test::kGeluSlack<TestType>) < kExactLimit);
  CHECK(activated.margins_equal(activated_before));

  Strided<float> sum(before, cols);
  bench.run.dense_add(x_there, packed, bench.at(sum));
  bench.fetch(sum);
  expected = product;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) expected[i * cols + j] += static_cast<double>(before(i, 3 + j));
  }
  CHECK(dense_error<TestType>(sum, expected) < kExactLimit);
  CHECK(sum.margins_equal(before));
}

TEMPLATE_LIST_TEST_CASE("GELU is its tanh approximation, far out too", "", test::Backends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  const std::vector<float> points{-100, -10, -5, -3, -1, -0.5, -0x1p-10F, 0, 0x1p-10F, 0.5, 1, 2, 3, 5, 10, 100};
  rvm::Tensor<Element> x({points.size(), 1});
  std::transform(points.begin(), points.end(), x.begin(), [](float v) { return Element(v); });
  rvm::Tensor<float> one({1, 1});
  one(0, 0) = 1;
  rvm::Tensor<Element> y({points.size(), 1});
  const auto packed = bench.device.pack(rvm::DenseWeights{one, {}});
  bench.run.dense(rvm::MatrixView<const Element>(bench.place(x), points.size(), 1), packed,
                  rvm::MatrixView<Element>(bench.place(y), points.size(), 1), rvm::Activation::kGelu);
  bench.fetch(y);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto expected = gelu(static_cast<double>(points[i]));
    const double relative = test::kExact<TestType> ? 1e-6 : 0x1p-8;
    CAPTURE(points[i]);
    CHECK(std::abs(static_cast<double>(static_cast<float>(y(i, 0))) - expected) <=
          relative * std::max(test::kExact<TestType> ? 1.0 : 1e-3, std::abs(expected)) + test::kGeluSlack<TestType>);
  }
}

TEMPLATE_LIST_TEST_CASE("layer norm, in place and beside", "", test::Backends) {
  Bench<TestType> bench;
  test::Random random(2);
  const std::size_t rows = GENERATE(1U, 33U, 300U);
  const std::size_t width = GENERATE(1U, 5U, 48U, 100U);
  CAPTURE(rows, width);
  const rvm::NormWeights norm = random_norm(random, width, rows != 33);
  const auto packed = bench.device.pack(rvm::NormWeights(norm));
  Strided<float> x(random, rows, width, 3.0F);
  for (std::size_t i = 0; i < rows; ++i) x.view.row(i)[0] += 2.0F;
  Doubles expected;
  for (std::size_t i = 0; i < rows; ++i) {
    const Doubles row = norm_row(x, i, norm);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  Strided<float> y(random, rows, width);
  const auto x_there = bench.at(x);
  bench.run.layer_norm(rvm::MatrixView<const float>(x_there), packed, bench.at(y));
  bench.fetch(y);
  CHECK(error(y, expected) < kExactLimit);
  Strided<typename TestType::Element> operand(random, rows, width);
  const auto operand_before = operand.wide;
  bench.run.layer_norm(rvm::MatrixView<const float>(x_there), packed, bench.at(operand));
  bench.fetch(operand);
  CHECK(error(operand, expected) < kExactLimit);
  CHECK(operand.margins_equal(operand_before));
  bench.run.layer_norm(rvm::MatrixView<const float>(x_there), packed, x_there);
  bench.fetch(x);
  CHECK(error(x, expected) < kExactLimit);
}

TEMPLATE_LIST_TEST_CASE("attention of any sizes, with large scores too", "", test::TiledBackends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  test::Random random(3);
#ifdef RVM_TEST_CUDA
  constexpr std::size_t kWide = 128;  // the most that its kernels take
#else
  constexpr std::size_t kWide = 130;
#endif
  const std::size_t head_dim = GENERATE_COPY(1U, 12U, 48U, 64U, 80U, kWide);
  const auto [queries, keys] =
      GENERATE(table<std::size_t, std::size_t>({{1, 1}, {5, 3}, {64, 257}, {65, 256}, {130, 300}}));
  const float scale = GENERATE(1.0F, 12.0F);
  const std::size_t batch = 1 + queries % 3;
  const std::size_t heads = 1 + queries % 2;
  CAPTURE(head_dim, queries, keys, scale, batch, heads);
  const std::size_t inner = heads * head_dim;
  const Strided<Element> q(random, batch * queries, inner, scale);
  const Strided<Element> k(random, batch * keys, inner, scale);
  const Strided<Element> v(random, batch * keys, inner);
  Strided<Element> out(random, batch * queries, inner);
  const auto before = out.wide;
  const rvm::AttentionShape shape{batch, heads, head_dim, queries, keys};
  bench.run.attention(shape, bench.at(q), bench.at(k), bench.at(v), bench.at(out));
  bench.fetch(out);

  Doubles expected;
  for (std::size_t i = 0; i < batch * queries; ++i) {
    for (std::size_t head = 0; head < heads; ++head) {
      const Doubles found = test::attended(shape, i, head, q, k, v);
      expected.insert(expected.end(), found.begin(), found.end());
    }
  }
  if constexpr (test::kExact<TestType>) {
    CHECK(error(out, expected) < (scale > 1 ? 100 : 1) * kExactLimit);
  } else {
    CHECK(relative_error(out, expected) < 0.0045);  // softmax's weights are rounded too
  }
  CHECK(out.margins_equal(before));
}

TEMPLATE_LIST_TEST_CASE("the gates", "", test::Backends) {
  Bench<TestType> bench;
  test::Random random(4);
  const std::size_t rows = GENERATE(1U, 35U, 257U);
  const std::size_t width = GENERATE(1U, 48U, 70U);
  CAPTURE(rows, width);
  const rvm::NormWeights norm = random_norm(random, width, rows != 35);
  const auto packed = bench.device.pack(rvm::NormWeights(norm));
  const Strided<float> a(random, rows, width, 3.0F);
  const Strided<float> b(random, rows, width, 3.0F);
  const Strided<float> state(random, rows, width);
  const Strided<float> x(random, rows, width, 2.0F);
  Doubles reset;
  Doubles update;
  for (std::size_t i = 0; i < rows; ++i) {
    const Doubles state_row = norm_row(state, i, norm);
    const Doubles x_row = norm_row(x, i, norm);
    for (std::size_t j = 0; j < width; ++j) {
      const double g = sigmoid(a(i, j) + b(i, j));
      reset.push_back(g * state_row[j]);
      update.push_back((1 - g) * state(i, j) + g * x_row[j]);
    }
  }
  Strided<typename TestType::Element> memory(random, rows, width);
  const auto memory_before = memory.wide;
  bench.run.reset_gate(bench.at(a), bench.at(b), bench.at(state), packed, bench.at(memory));
  bench.fetch(memory);
  CHECK(error(memory, reset) < kExactLimit);
  CHECK(memory.margins_equal(memory_before));
  Strided<float> out(random, rows, width);
  const auto before = out.wide;
  bench.run.update_gate(bench.at(a), bench.at(b), bench.at(state), bench.at(x), packed, bench.at(out));
  bench.fetch(out);
  CHECK(error(out, update) < kExactLimit);
  CHECK(out.margins_equal(before));
}

TEMPLATE_LIST_TEST_CASE("patches of several frames, each behind a row for its class token", "", test::Backends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  const auto video = test::Random(5).bytes({2, 48, 32, 3});
  const auto frames = test::frames_of(video);
  rvm::Tensor<Element> out({2 * 7, rvm::kPatchValues});
  std::fill(out.begin(), out.end(), Element(-1.0F));
  bench.run.patches(frames, rvm::MatrixView<Element>(bench.place(out), 14, rvm::kPatchValues));
  bench.fetch(out);
  for (std::size_t f = 0; f < 2; ++f) {
    CHECK(std::all_of(out[7 * f].begin(), out[7 * f].end(), [](Element value) { return value == Element(0.0F); }));
    for (std::size_t p = 0; p < 6; ++p) {
      std::vector<float> expected(rvm::kPatchValues);
      rvm::extract_patch(frames[f], p / 2, p % 2, expected.data());
      CHECK(std::equal(expected.begin(), expected.end(), out[7 * f + 1 + p].begin(),
                       [](float a, Element b) { return Element(a) == b; }));
    }
  }
}

TEMPLATE_LIST_TEST_CASE("numbers move in and out", "", test::Backends) {
  Bench<TestType> bench;
  const std::vector<float> numbers{1, 2, 3, 4};
  typename TestType::template Buffer<float> a = bench.device.upload(numbers);
  typename TestType::template Buffer<float> b(bench.device, 4);
  std::vector<float> found(4, -1.0F);
  CHECK(a.size() == 4);
  bench.run.read(b.data(), found);
  CHECK(found == std::vector<float>(4));
  bench.run.copy(a.data(), b.data() + 1, 3);
  bench.run.read(b.data(), found);
  CHECK(found == std::vector<float>{0, 1, 2, 3});
  bench.run.write(numbers, b.data());
  bench.run.zero(b.data() + 2, 1);
  bench.run.read(b.data(), found);
  CHECK(found == std::vector<float>{1, 2, 0, 4});
}
