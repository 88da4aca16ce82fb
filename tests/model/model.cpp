#include <rvm/model/model.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>
#include <rvm/weights/load.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/changed_weights.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"
#include "support/temp_dir.hpp"

namespace {

using test::Arrays;
using test::is_decoder;
using test::with;

const rvm::Config kConfig{24, {2, 3, 8, 40}, {2, 2, 12, 36}, rvm::DecoderConfig{16, {1, 4, 4, 20}}};

}  // namespace

TEMPLATE_LIST_TEST_CASE("random sizes agree with the plain formula in double", "", test::Backends) {
  test::Random random(11);
  for (int i = 0; i < 12; ++i) {
    const std::size_t width = 4 * random.between(1, 12);
    const auto transformer = [&] {
      return rvm::TransformerConfig{random.between(1, 3), random.between(1, 4), random.between(1, 20),
                                    random.between(1, 70)};
    };
    const rvm::Config config{width, transformer(), transformer(), {}};
    const std::size_t h = random.between(1, 5);
    const std::size_t w = random.between(1, 5);
    CAPTURE(i, width, config.encoder.heads, config.encoder.head_dim, config.core.heads, config.core.head_dim, h, w);
    const rvm::Weights weights = rvm::random_weights(config, random.bits());
    const auto video = random.bytes({3, 16 * h, 16 * w, 3});
    const test::Reference reference(weights);
    test::Reference::Matrix state;
    rvm::Stream stream(rvm::Model<TestType>(weights), {.height = 16 * h, .width = 16 * w});
    for (const rvm::FrameView& frame : test::frames_of(video)) {
      state = reference.step(test::pixels_of(frame), 16 * h, 16 * w, state);
      // Narrow models average less of bfloat16's rounding out.
      CHECK(test::error<TestType>(stream.step(frame).values(), state.values) < test::limit<TestType>(2e-5, 0.02));
    }
  }
}

TEMPLATE_LIST_TEST_CASE("every parameter has an effect", "", test::Backends) {
  const rvm::Weights weights = rvm::random_weights(kConfig, 1);
  const auto video = test::Random(1).bytes({2, 32, 32, 3});
  const auto run = [&](const rvm::Weights& w) {
    return rvm::Stream(rvm::Model<TestType>(w, {.threads = 1}), {.height = 32, .width = 32})
        .run(test::frames_of(video));
  };
  const rvm::Tensor<float> expected = run(weights);
  for (const std::string& key : weights.keys()) {
    rvm::Tensor<float> changed = weights.at(key).as<float>();
    for (float& v : changed) v = -v;
    const double effect = test::difference(run(with(weights, key, changed)), expected);
    CAPTURE(key, effect);
    // A bias of the keys moves all scores of a query alike, which softmax takes away.
    if (is_decoder(key)) {
      CHECK(effect == 0);
    } else if (key.ends_with("/key/bias")) {
      CHECK(effect < (test::kExact<TestType> ? 1e-5 : 0.1));
    } else {
      CHECK(effect > 1e-4);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("a model without its decoder is whole, and one with does not read it", "", test::Backends) {
  const rvm::Weights weights = test::small_weights();
  Arrays arrays;
  for (const std::string& key : weights.keys()) {
    if (!is_decoder(key)) arrays.emplace_back(key, weights.at(key).as<float>());
  }
  const rvm::Model<TestType> whole(weights);
  const rvm::Model<TestType> half(rvm::Weights::from_tensors("half", std::move(arrays)));
  CHECK(half.fingerprint() == whole.fingerprint());
  CHECK(half.config() == whole.config());
}

TEMPLATE_LIST_TEST_CASE("every array that is missing or misshapen is named", "", test::Backends) {
  const rvm::Weights weights = rvm::random_weights(kConfig);
  for (const std::string& key : weights.keys()) {
    if (is_decoder(key)) continue;
    CAPTURE(key);
    const auto failure = [&](const rvm::Weights& broken) -> rvm::WeightsError {
      try {
        const rvm::Model<TestType> model(broken, {.threads = 1});
      } catch (const rvm::WeightsError& error) {
        return error;
      }
      return {"", "", "", "nothing wrong"};
    };
    const rvm::WeightsError missing = failure(with(weights, key, {}));
    CHECK(missing.file() == "some.npz");
    CHECK(missing.key() == key);
    CHECK_THAT(missing.found(), ContainsSubstring("no such key"));

    // One more along the last axis: another array may be the one that then does not agree, if this one told the size.
    const rvm::Shape shape = weights.at(key).shape();
    std::vector<std::size_t> extents(shape.begin(), shape.end());
    ++extents.back();
    const rvm::WeightsError misshapen =
        failure(with(weights, key, rvm::Tensor<float>(rvm::Shape(std::span<const std::size_t>(extents)))));
    CHECK_THAT(misshapen.expected(), ContainsSubstring("to agree with"));
    CHECK_THAT(misshapen.found(), ContainsSubstring("shape ("));
    CHECK_FALSE(misshapen.key().empty());
  }
}

TEST_CASE("a layer whose shape disagrees with the others is named, with both shapes") {
  const rvm::Weights weights = rvm::random_weights(kConfig);
  const auto refuses = [&](const std::string& key, const rvm::Shape& shape, const std::string& message) {
    CHECK_THROWS_WITH(rvm::Model<rvm::EigenCpu<>>(with(weights, key, rvm::Tensor<float>(shape)), {.threads = 1}),
                      "some.npz: " + key + ": expected shape " + message);
  };
  refuses("encoder/layers_1/mlp/dense_in/kernel", {24, 41},
          "(24, 40) to agree with the other arrays, found shape (24, 41)");
  refuses("encoder/layers_1/attention/key/kernel", {24, 8, 3},
          "(24, 3, 8) to agree with the other arrays, found shape (24, 8, 3)");
  refuses("rnn_core/transformer/xa_blocks_0/ca_attention/query/bias", {24},
          "(2, 12) to agree with the other arrays, found shape (24,)");
  refuses("rnn_core/input_reset/kernel", {24, 23}, "(24, 24) to agree with the other arrays, found shape (24, 23)");
  refuses("encoder/layers_0/attention/query/kernel", {23, 3, 8},
          "(24, heads, head_dim) to agree with the token width, found shape (23, 3, 8)");
}

TEMPLATE_LIST_TEST_CASE("NaN and infinite weights are refused by their key, unless they are allowed", "",
                        test::Backends) {
  const rvm::Weights weights = rvm::random_weights(kConfig);
  std::size_t i = 0;
  for (const std::string& key : weights.keys()) {
    if (is_decoder(key)) continue;
    CAPTURE(key);
    rvm::Tensor<float> values = weights.at(key).as<float>();
    const bool nan = ++i % 2 == 0;
    values.data()[values.size() - 1] =
        nan ? std::numeric_limits<float>::quiet_NaN() : -std::numeric_limits<float>::infinity();
    const rvm::Weights broken = with(weights, key, values);
    CHECK_THROWS_WITH(rvm::Model<TestType>(broken, {.threads = 1}),
                      "some.npz: " + key + ": expected finite values, found " + (nan ? "NaN" : "infinity") +
                          " in element " + std::to_string(values.size() - 1));
    CHECK_NOTHROW(rvm::Model<TestType>(broken.allow_non_finite(), {.threads = 1}));
  }
}

TEMPLATE_LIST_TEST_CASE("weights in half precision and in other formats load", "", test::Backends) {
  const test::TempDir dir;
  const rvm::Weights weights = rvm::random_weights(kConfig, 2);
  const auto video = test::Random(1).bytes({2, 32, 32, 3});
  const auto run = [&](const rvm::Weights& w) {
    return rvm::Stream(rvm::Model<TestType>(w), {.height = 32, .width = 32}).run(test::frames_of(video));
  };
  const rvm::Tensor<float> expected = run(weights);
  rvm::save_safetensors(dir / "w.safetensors", weights);
  CHECK(test::difference(run(rvm::load_weights(dir / "w.safetensors")), expected) == 0);

  rvm::NpzWriter half(dir / "half.npz");
  rvm::NpzWriter wide(dir / "wide.npz");
  for (const std::string& key : weights.keys()) {
    const rvm::Tensor<float> values = weights.at(key).as<float>();
    rvm::Tensor<rvm::float16> halves(values.shape());
    rvm::Tensor<double> doubles(values.shape());
    std::transform(values.begin(), values.end(), halves.begin(), [](float v) { return rvm::float16(v); });
    std::copy(values.begin(), values.end(), doubles.begin());
    half.add(key, halves);
    wide.add(key, doubles);
  }
  half.close();
  wide.close();
  CHECK(test::difference(run(rvm::load_weights(dir / "wide.npz")), expected) == 0);
  const double rounding = test::difference(run(rvm::load_weights(dir / "half.npz")), expected);
  CHECK(rounding > 0);
  CHECK(rounding < 2e-2);
}

TEST_CASE("an array of integers is refused by name") {
  const test::TempDir dir;
  const rvm::Weights weights = rvm::random_weights(kConfig);
  rvm::NpzWriter file(dir / "w.npz");
  for (const std::string& key : weights.keys()) {
    if (key == "encoder/LayerNorm_0/scale") {
      file.add(key, rvm::Tensor<std::int32_t>({24}));
    } else {
      file.add(key, weights.at(key));
    }
  }
  file.close();
  CHECK_THROWS_WITH(
      rvm::Model<rvm::EigenCpu<>>(rvm::load_weights(dir / "w.npz")),
      ContainsSubstring("w.npz: encoder/LayerNorm_0/scale: expected a floating-point dtype, found int32"));
}

TEST_CASE("a fingerprint tells models apart, not formats") {
  const auto fingerprint = [](const rvm::Weights& w) {
    return rvm::Model<rvm::EigenCpu<>>(w, {.threads = 1}).fingerprint();
  };
  const test::TempDir dir;
  const rvm::Weights weights = rvm::random_weights(kConfig, 2);
  rvm::save_safetensors(dir / "w.safetensors", weights);
  CHECK(fingerprint(rvm::load_weights(dir / "w.safetensors")) == fingerprint(weights));
  CHECK(fingerprint(rvm::random_weights(kConfig, 3)) != fingerprint(weights));
  rvm::Tensor<float> bias = weights.at("encoder/LayerNorm_0/bias").as<float>();
  bias(23) += 1e-6F;
  CHECK(fingerprint(with(weights, "encoder/LayerNorm_0/bias", bias)) != fingerprint(weights));
}

TEST_CASE("a size that an array claims costs no memory before the arrays that must have it are there") {
  if (!test::allocations_are_counted()) return;
  constexpr std::size_t kClaimed = 100'000;
  Arrays arrays;
  const auto add = [&](const std::string& key, const rvm::Shape& shape) {
    arrays.emplace_back(key, rvm::Tensor<float>(shape));
  };
  add("cls_token", {1, kClaimed});
  add("tokenizer/patch_embedding/Conv_0/bias", {kClaimed});
  for (const std::string block : {"encoder/layers_0", "rnn_core/transformer/xa_blocks_0"}) {
    add(block + "/attention/query/kernel", {kClaimed, 1, 1});
    add(block + "/mlp/dense_in/kernel", {1, 1});
  }
  const rvm::Weights weights = rvm::Weights::from_tensors("small", std::move(arrays));
  const std::size_t before = test::allocated_bytes();
  REQUIRE_THROWS_AS(rvm::Model<rvm::EigenCpu<float>>(weights), rvm::WeightsError);
  CHECK(test::allocated_bytes() - before < 10 * kClaimed * sizeof(float));
}
