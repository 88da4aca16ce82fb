// The shapes of full-size models, in memory as a model has it: where kernels move whole vectors, and where an attention
// fills the device. On an emulated GPU there are few rows of them.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/backend/cuda.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"

namespace {

using test::Doubles;
using test::gelu;
using test::sigmoid;

template <class B>
struct Bench {
  bool emulated() const { return device.description().find("emulated") != std::string::npos; }
  /// A frame of 256x256, or less.
  std::size_t rows() const { return emulated() ? 3 : 257; }
  template <class T>
  rvm::CudaBuffer<T> put(const std::vector<T>& numbers) {
    return {device.context(), std::span<const T>(numbers)};
  }
  template <class T>
  Doubles get(const rvm::CudaBuffer<T>& memory) {
    std::vector<float> words(memory.size() * sizeof(T) / sizeof(float));
    run.read(reinterpret_cast<const float*>(memory.data()), words);
    Doubles numbers;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      T number;
      std::memcpy(&number, reinterpret_cast<const char*>(words.data()) + i * sizeof(T), sizeof(T));
      numbers.push_back(static_cast<double>(static_cast<float>(number)));
    }
    return numbers;
  }

  typename B::Device device{typename B::Options{}};
  typename B::Executor run{device};
};

template <class T>
std::vector<T> random_numbers(test::Random& random, std::size_t n, float scale = 1.0F) {
  std::vector<T> numbers(n);
  for (T& v : numbers) v = T(random.number(scale));
  return numbers;
}
template <class T>
double wide(T number) {
  return static_cast<double>(static_cast<float>(number));
}

Doubles norm_rows(const std::vector<float>& x, std::size_t width, const rvm::NormWeights& norm) {
  Doubles out;
  for (auto row = x.begin(); row != x.end(); row += static_cast<std::ptrdiff_t>(width)) {
    const Doubles standard =
        test::normed({row, row + static_cast<std::ptrdiff_t>(width)}, static_cast<double>(norm.epsilon));
    for (std::size_t j = 0; j < width; ++j) out.push_back(standard[j] * wide(norm.scale(j)) + wide(norm.bias(j)));
  }
  return out;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("whole vectors: layer norm and the gates", "", test::AllBackends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  test::Random random(1);
  const std::size_t rows = bench.rows();
  const std::size_t width = GENERATE(384U, 768U, 1024U, 1280U, 1540U);
  CAPTURE(width);
  const rvm::NormWeights norm{random.numbers({width}), random.numbers({width}), 1e-2F};
  const auto packed = bench.device.pack(rvm::NormWeights(norm));
  const auto numbers = [&](float scale) { return random_numbers<float>(random, rows * width, scale); };
  const std::vector<float> x = numbers(2);
  const std::vector<float> a = numbers(3);
  const std::vector<float> b = numbers(3);
  const std::vector<float> state = numbers(1);
  const auto x_there = bench.put(x);
  const auto a_there = bench.put(a);
  const auto b_there = bench.put(b);
  const auto state_there = bench.put(state);
  const auto in = [&](const auto& memory) { return rvm::MatrixView<const float>(memory.data(), rows, width); };
  const Doubles normed = norm_rows(x, width, norm);
  const Doubles normed_state = norm_rows(state, width, norm);
  Doubles reset;
  Doubles update;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double gate = sigmoid(wide(a[i]) + wide(b[i]));
    reset.push_back(gate * normed_state[i]);
    update.push_back((1 - gate) * wide(state[i]) + gate * normed[i]);
  }
  rvm::CudaBuffer<Element> element(bench.device, rows * width);
  rvm::CudaBuffer<float> number(bench.device, rows * width);
  bench.run.layer_norm(in(x_there), packed, rvm::MatrixView<Element>(element.data(), rows, width));
  CHECK(test::error<TestType>(bench.get(element), normed) < test::limit<TestType>(1e-5));
  bench.run.layer_norm(in(x_there), packed, rvm::MatrixView<float>(number.data(), rows, width));
  CHECK(test::difference(bench.get(number), normed) < 1e-5);
  bench.run.reset_gate(in(a_there), in(b_there), in(state_there), packed,
                       rvm::MatrixView<Element>(element.data(), rows, width));
  CHECK(test::error<TestType>(bench.get(element), reset) < test::limit<TestType>(1e-5));
  bench.run.update_gate(in(a_there), in(b_there), in(state_there), in(x_there), packed,
                        rvm::MatrixView<float>(number.data(), rows, width));
  CHECK(test::difference(bench.get(number), update) < 1e-5);
}

TEMPLATE_LIST_TEST_CASE("whole vectors: products", "", test::AllBackends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  test::Random random(2);
  const std::size_t rows = bench.rows();
  const std::size_t width = GENERATE(768U, 1024U, 1280U);
  const std::size_t out = width * GENERATE(1U, 2U);
  CAPTURE(width, out);
  const auto x = random_numbers<Element>(random, rows * width);
  rvm::Tensor<float> kernel = random.numbers({width, out}, 2.0F / std::sqrt(static_cast<float>(width)));
  for (float& v : kernel) v = static_cast<float>(Element(v));
  rvm::Tensor<float> bias = random.numbers({out});
  for (float& v : bias) v = static_cast<float>(Element(v));
  const auto packed = bench.device.pack(rvm::DenseWeights{kernel, bias});
  const auto x_there = bench.put(x);
  const rvm::MatrixView<const Element> in(x_there.data(), rows, width);

  const std::vector<float> before = random_numbers<float>(random, rows * out);
  auto sum = bench.put(before);
  rvm::CudaBuffer<Element> activated(bench.device, rows * out);
  bench.run.dense_add(in, packed, rvm::MatrixView<float>(sum.data(), rows, out));
  bench.run.dense(in, packed, rvm::MatrixView<Element>(activated.data(), rows, out), rvm::Activation::kGelu);
  const auto sum_here = bench.get(sum);
  const auto activated_here = bench.get(activated);
  // Some of the rows.
  for (std::size_t i = 0; i<rows; i += rows> 3 ? 32 : 1) {
    Doubles product;
    for (std::size_t j = 0; j < out; ++j) product.push_back(wide(bias(j)));
    for (std::size_t k = 0; k < width; ++k) {
      const double value = wide(x[i * width + k]);
      for (std::size_t j = 0; j < out; ++j) product[j] += value * wide(kernel(k, j));
    }
    Doubles expected = product;
    for (std::size_t j = 0; j < out; ++j) expected[j] += wide(before[i * out + j]);
    CHECK(test::difference(std::span(sum_here).subspan(i * out, out), expected) <
          (test::kExact<TestType> ? 5e-5 : 2e-4));
    for (std::size_t j = 0; j < out; ++j) expected[j] = gelu(product[j]);
    CHECK(test::error<TestType>(std::span(activated_here).subspan(i * out, out), expected) <
          test::limit<TestType>(1e-5));
  }
}

TEMPLATE_LIST_TEST_CASE("attention over a whole device", "", test::AllBackends) {
  using Element = typename TestType::Element;
  Bench<TestType> bench;
  test::Random random(3);
  // Blocks of every kind, as there are queries for them: on tensor cores those of many, of some and of few, in float
  // the large ones and others.
  const std::size_t d = GENERATE(16U, 32U, 48U, 64U, 80U, 128U);
  const int kind = GENERATE(0, 1, 2, 3);
  CAPTURE(d, kind);
  const std::vector<rvm::AttentionShape> full{
      {1, 16, d, 1651, 1651}, {8, 16, d, 257, 257}, {1, 6, d, 1651, 1651}, {1, 16, d, 257, 257}};
  const std::vector<rvm::AttentionShape> small{
      {16, 16, d, 5, 17}, {8, 16, d, 17, 33}, {8, 8, d, 65, 66}, {1, 1, d, 40, 70}};
  const rvm::AttentionShape shape = (bench.emulated() ? small : full)[static_cast<std::size_t>(kind)];
  const std::size_t inner = shape.heads * shape.head_dim;
  const std::size_t keys = shape.batch * shape.keys;
  const std::size_t queries = shape.batch * shape.queries;  // the first of as many rows
  // Queries, keys and values side by side, as a product leaves them.
  const auto all = random_numbers<Element>(random, keys * 3 * inner, 1.5F);
  const auto all_there = bench.put(all);
  const rvm::MatrixView<const Element> view(all_there.data(), keys, 3 * inner);
  rvm::CudaBuffer<Element> out(bench.device, queries * inner);
  bench.run.attention(shape, view.col_block(0, inner), view.col_block(inner, inner), view.col_block(2 * inner, inner),
                      rvm::MatrixView<Element>(out.data(), queries, inner));
  const auto found = bench.get(out);
  const auto column_block = [&](std::size_t first) {
    return [&all, inner, first](std::size_t row, std::size_t j) { return wide(all[row * 3 * inner + first + j]); };
  };
  // Some of the queries.
  Doubles some_found;
  Doubles expected;
  for (std::size_t i = 0; i < queries; i += bench.emulated() ? 1 : 61) {
    const auto row = found.begin() + static_cast<std::ptrdiff_t>(i * inner);
    some_found.insert(some_found.end(), row, row + static_cast<std::ptrdiff_t>(inner));
    for (std::size_t head = 0; head < shape.heads; ++head) {
      const Doubles sum = test::attended(shape, i, head, column_block(0), column_block(inner), column_block(2 * inner));
      expected.insert(expected.end(), sum.begin(), sum.end());
    }
  }
  CHECK(test::error<TestType>(some_found, expected) < test::limit<TestType>(1e-5));
}
