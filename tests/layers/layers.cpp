// Every layer against the plain formula in double.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <rvm/layers/attention.hpp>
#include <rvm/layers/cross_transformer.hpp>
#include <rvm/layers/mlp.hpp>
#include <rvm/layers/patch_embedding.hpp>
#include <rvm/model/random.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace {

constexpr double kExactLimit = 1e-5;
constexpr std::size_t kWidth = 24;

// Heads whose inner width is not the token's, so that the two cannot be confused.
rvm::Weights some_weights() {
  return rvm::random_weights({kWidth, {1, 3, 10, 40}, {2, 2, 9, 36}, {}}, 5);
}

/// A backend with what a layer needs around it.
template <class B>
struct Bench {
  using Element = typename B::Element;

  typename B::Device device{typename B::Options{}};
  typename B::Executor run{device};
  rvm::WeightReader reader{some_weights()};
  test::Reference reference{some_weights()};
  rvm::Workspace<B> workspace{device, 64, {kWidth, 64, 64, 64}};

  template <class T>
  static rvm::MatrixView<T> matrix(rvm::Tensor<T>& t) {
    return {t.data(), t.shape()[0], t.shape()[1]};
  }
  /// As products read it.
  static rvm::Tensor<Element> elements(const rvm::Tensor<float>& t) {
    rvm::Tensor<Element> out(t.shape());
    std::transform(t.begin(), t.end(), out.begin(), [](float v) { return Element(v); });
    return out;
  }
  static test::Reference::Matrix rows(const rvm::Tensor<float>& t, std::size_t first, std::size_t count) {
    return {t.data() + first * t.shape()[1], count, t.shape()[1]};
  }
};

const std::string kBlock = "encoder/layers_0";
const std::string kCoreBlock = "rnn_core/transformer/xa_blocks_1";

/// before + change, row by row from `first` on, against what the layer has made of x.
template <class B>
double residual_error(const rvm::Tensor<float>& before, const test::Reference::Matrix& change,
                      const rvm::Tensor<float>& after, std::size_t first) {
  std::vector<double> expected(change.values);
  const std::size_t offset = first * before.shape()[1];
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(before.data()[offset + i]);
  return test::error<B>(after.span().subspan(offset, expected.size()), expected);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("layer norm", "", test::Backends) {
  Bench<TestType> bench;
  const auto x = test::Random(1).numbers({5, kWidth}, 3.0F);
  rvm::Tensor<float> y = x;
  const rvm::LayerNorm<TestType> norm(bench.device, rvm::read_norm(bench.reader, kBlock + "/mlp_norm", kWidth));
  norm(bench.run, bench.matrix(y), bench.matrix(y));
  CHECK(test::difference(y, bench.reference.norm(kBlock + "/mlp_norm", bench.rows(x, 0, 5)).values) <
        test::limit<TestType>(kExactLimit));

  rvm::Tensor<float> state = x;
  for (float& v : state) v *= 1e-2F;  // small, so that epsilon shows
  rvm::Tensor<float> normed = state;
  const rvm::LayerNorm<TestType> state_norm(bench.device,
                                            rvm::read_state_norm(bench.reader, "rnn_core/state_layer_norm", kWidth));
  state_norm(bench.run, bench.matrix(normed), bench.matrix(normed));
  const auto expected = bench.reference.norm("rnn_core/state_layer_norm", bench.rows(state, 0, 5), 1e-4);
  CHECK(test::error<TestType>(normed, expected.values) < test::limit<TestType>(kExactLimit));
}

TEMPLATE_LIST_TEST_CASE("dense layers side by side", "", test::Backends) {
  Bench<TestType> bench;
  const auto x = test::Random(1).numbers({7, kWidth});
  auto x_elements = bench.elements(x);
  const rvm::Linear<TestType> linear(bench.device, bench.reader,
                                     {rvm::heads_part(kBlock + "/attention/value", kWidth, 3, 10),
                                      rvm::unbiased_part("rnn_core/input_update", kWidth, kWidth),
                                      rvm::dense_part(kBlock + "/mlp/dense_in", kWidth, 40)});
  REQUIRE(linear.out() == 30 + kWidth + 40);
  rvm::Tensor<float> y({7, linear.out()});
  linear(bench.run, bench.matrix(x_elements), bench.matrix(y));
  std::size_t column = 0;
  for (const std::string& key :
       {kBlock + "/attention/value", std::string("rnn_core/input_update"), kBlock + "/mlp/dense_in"}) {
    const auto expected = bench.reference.dense(key, bench.rows(x, 0, 7));
    std::vector<float> found;
    for (std::size_t i = 0; i < 7; ++i) {
      for (std::size_t j = 0; j < expected.cols; ++j) found.push_back(y(i, column + j));
    }
    CAPTURE(key);
    CHECK(test::error<TestType>(found, expected.values) < test::limit<TestType>(kExactLimit));
    column += expected.cols;
  }
}

TEMPLATE_LIST_TEST_CASE("self-attention, each of a batch to itself", "", test::Backends) {
  Bench<TestType> bench;
  const auto before = test::Random(1).numbers({15, kWidth}, 2.0F);
  auto x = before;
  const rvm::SelfAttention<TestType> layer(bench.device, bench.reader, kBlock + "/attention_norm",
                                           kBlock + "/attention", kWidth, 3, 10);
  layer(bench.run, bench.workspace, bench.matrix(x), 3);
  for (std::size_t b = 0; b < 3; ++b) {
    const auto normed = bench.reference.norm(kBlock + "/attention_norm", bench.rows(before, 5 * b, 5));
    CHECK(residual_error<TestType>(before, bench.reference.attention(kBlock + "/attention", normed, normed), x, 5 * b) <
          test::limit<TestType>(kExactLimit));
  }
}

TEMPLATE_LIST_TEST_CASE("cross-attention: keys and values as they come", "", test::Backends) {
  Bench<TestType> bench;
  test::Random random(1);
  const auto before = random.numbers({8, kWidth}, 2.0F);
  auto x = before;
  const auto memory = random.numbers({6, kWidth}, 2.0F);
  auto memory_elements = bench.elements(memory);
  const std::string key = kCoreBlock + "/ca_attention";
  const rvm::Linear<TestType> key_value(
      bench.device, bench.reader,
      {rvm::heads_part(key + "/key", kWidth, 2, 9), rvm::heads_part(key + "/value", kWidth, 2, 9)});
  rvm::Tensor<typename TestType::Element> kv({6, 36});
  key_value(bench.run, bench.matrix(memory_elements), bench.matrix(kv), rvm::Activation::kNone);
  const rvm::CrossAttention<TestType> layer(bench.device, bench.reader, kCoreBlock + "/ca_attention_norm", key, kWidth,
                                            2, 9);
  layer(bench.run, bench.workspace, bench.matrix(x), bench.matrix(kv).col_block(0, 18),
        bench.matrix(kv).col_block(18, 18), 2);
  for (std::size_t b = 0; b < 2; ++b) {
    const auto normed = bench.reference.norm(kCoreBlock + "/ca_attention_norm", bench.rows(before, 4 * b, 4));
    const auto change = bench.reference.attention(key, normed, bench.rows(memory, 3 * b, 3));
    CHECK(residual_error<TestType>(before, change, x, 4 * b) < test::limit<TestType>(kExactLimit));
  }
}

TEMPLATE_LIST_TEST_CASE("the MLP", "", test::Backends) {
  Bench<TestType> bench;
  const auto before = test::Random(1).numbers({9, kWidth}, 2.0F);
  auto x = before;
  const rvm::Mlp<TestType> layer(bench.device, bench.reader, kBlock + "/mlp_norm", kBlock + "/mlp", kWidth, 40);
  layer(bench.run, bench.workspace, bench.matrix(x));
  const auto normed = bench.reference.norm(kBlock + "/mlp_norm", bench.rows(before, 0, 9));
  CHECK(residual_error<TestType>(before, bench.reference.mlp(kBlock + "/mlp", normed), x, 0) <
        test::limit<TestType>(kExactLimit));
}

TEMPLATE_LIST_TEST_CASE("the cross-attention transformer, but for its last norm", "", test::Backends) {
  Bench<TestType> bench;
  test::Random random(1);
  const auto before = random.numbers({6, kWidth}, 2.0F);
  auto x = before;
  const auto memory = random.numbers({10, kWidth});
  auto memory_elements = bench.elements(memory);
  const rvm::CrossTransformer<TestType> layer(bench.device, bench.reader, "rnn_core/transformer", kWidth,
                                              {2, 2, 9, 36});
  rvm::Tensor<typename TestType::Element> kv({10, layer.keys_values_width()});
  REQUIRE(layer.keys_values_width() == 2 * 2 * 18);
  layer.project(bench.run, bench.matrix(memory_elements), bench.matrix(kv));
  layer(bench.run, bench.workspace, bench.matrix(x), bench.matrix(kv), 2);
  const std::string norm = "rnn_core/transformer/output_norm";
  for (std::size_t b = 0; b < 2; ++b) {
    const auto expected = bench.reference.cross_transformer("rnn_core/transformer", bench.rows(before, 3 * b, 3),
                                                            bench.rows(memory, 5 * b, 5));
    const auto found = bench.reference.norm(norm, bench.rows(x, 3 * b, 3));
    CHECK(test::error<TestType>(found.values, expected.values) < test::limit<TestType>(kExactLimit, 0.01));
  }
}

TEMPLATE_LIST_TEST_CASE("patch embedding: class token, patches, positions", "", test::Backends) {
  Bench<TestType> bench;
  const auto video = test::Random(1).bytes({2, 32, 48, 3});
  const auto frames = test::frames_of(video);
  const rvm::PatchEmbedding<TestType> layer(bench.device, bench.reader, kWidth);
  const auto table = layer.table(bench.device, 2, 3);
  rvm::Tensor<typename TestType::Element> patches({14, rvm::kPatchValues});
  std::fill(patches.begin(), patches.end(), typename TestType::Element(99.0F));
  rvm::Tensor<float> x({14, kWidth});
  bench.run.patches(frames, bench.matrix(patches));
  layer(bench.run, bench.matrix(patches), table, bench.matrix(x));
  for (std::size_t f = 0; f < 2; ++f) {
    const auto expected = bench.reference.tokens(test::pixels_of(frames[f]), 32, 48);
    CHECK(test::error<TestType>(x.span().subspan(f * 7 * kWidth, 7 * kWidth), expected.values) <
          test::limit<TestType>(kExactLimit));
  }
}
