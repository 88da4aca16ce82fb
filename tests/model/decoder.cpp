#include <rvm/model/decoder.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/reconstruction.hpp>
#include <rvm/weights/load.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/changed_weights.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"

namespace {

using test::Arrays;
using test::is_decoder;
using test::with;

const rvm::Config kConfig{24, {2, 3, 8, 40}, {2, 2, 12, 36}, rvm::DecoderConfig{16, {2, 4, 4, 20}}};

rvm::Weights without_decoder(const rvm::Weights& weights) {
  Arrays arrays;
  for (const std::string& key : weights.keys()) {
    if (!is_decoder(key)) arrays.emplace_back(key, weights.at(key).as<float>());
  }
  return rvm::Weights::from_tensors("stripped.npz", std::move(arrays));
}

template <class B>
rvm::WeightsError failure(const rvm::Model<B>& model, const rvm::Weights& weights) {
  try {
    const rvm::Decoder decoder(model, weights);
  } catch (const rvm::WeightsError& error) {
    return error;
  }
  return {"", "", "", "nothing wrong"};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every parameter of the decoder has an effect", "", test::Backends) {
  const rvm::Weights weights = rvm::random_weights(kConfig, 1);
  const auto video = test::Random(1).bytes({3, 32, 48, 3});
  const std::vector<rvm::FrameView> frames = test::frames_of(video);
  const rvm::MaskedFrame target{frames[2], 5, {1, 4}};
  const rvm::Model<TestType> model(weights, {.threads = 1});
  const auto run = [&](const rvm::Weights& w) {
    return reconstruct(rvm::Decoder(model, w), std::span(frames).first(2), std::span(&target, 1));
  };
  const rvm::Tensor<float> expected = run(weights);
  for (const std::string& key : weights.keys()) {
    if (!is_decoder(key)) continue;
    rvm::Tensor<float> changed = weights.at(key).as<float>();
    for (float& v : changed) v = -v;
    const double effect = test::difference(run(with(weights, key, changed)), expected);
    CAPTURE(key, effect);
    // A bias of the keys moves all scores of a query alike, which softmax takes away.
    if (key.ends_with("/key/bias")) {
      CHECK(effect < (test::kExact<TestType> ? 1e-5 : 0.1));
    } else {
      CHECK(effect > 1e-4);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("every array of the decoder that is missing or misshapen is named", "", test::Backends) {
  const rvm::Weights weights = rvm::random_weights(kConfig);
  const rvm::Model<TestType> model(weights, {.threads = 1});
  for (const std::string& key : weights.keys()) {
    if (!is_decoder(key)) continue;
    CAPTURE(key);
    const rvm::WeightsError missing = failure(model, with(weights, key, {}));
    CHECK(missing.file() == "some.npz");
    CHECK(missing.key() == key);
    CHECK_THAT(missing.found(), ContainsSubstring("no such key"));

    // One more along the last axis: another array may be the one that then does not agree, if this one told the size.
    const rvm::Shape shape = weights.at(key).shape();
    std::vector<std::size_t> extents(shape.begin(), shape.end());
    ++extents.back();
    const rvm::WeightsError misshapen =
        failure(model, with(weights, key, rvm::Tensor<float>(rvm::Shape(std::span<const std::size_t>(extents)))));
    CHECK_THAT(misshapen.expected(), ContainsSubstring("to agree with"));
    CHECK_THAT(misshapen.found(), ContainsSubstring("shape ("));
    CHECK(is_decoder(misshapen.key()));
  }
}

TEMPLATE_LIST_TEST_CASE("weights without a decoder are told from weights with a broken one", "", test::AllBackends) {
  const rvm::Weights weights = rvm::random_weights(kConfig);
  const rvm::Weights stripped = without_decoder(weights);
  const rvm::WeightsError error = failure(rvm::Model<TestType>(stripped, {.threads = 1}), stripped);
  CHECK(error.file() == "stripped.npz");
  CHECK_THAT(error.what(), ContainsSubstring("decoder") && ContainsSubstring("encoder and core alone"));
}

TEMPLATE_LIST_TEST_CASE("a decoder takes the weights of its model, whatever the format", "", test::AllBackends) {
  const test::TempDir dir;
  const rvm::Weights weights = rvm::random_weights(kConfig, 2);
  const rvm::Model<TestType> model(without_decoder(weights), {.threads = 1});
  rvm::save_safetensors(dir / "w.safetensors", weights);
  const rvm::Decoder decoder(model, rvm::load_weights(dir / "w.safetensors"));
  CHECK(decoder.config() == kConfig.decoder);
  CHECK(decoder.keys_values_width() == 2 * 2 * 16);
  CHECK(decoder.model().fingerprint() == model.fingerprint());

  const rvm::WeightsError other_numbers = failure(model, rvm::random_weights(kConfig, 3));
  CHECK_THAT(other_numbers.what(),
             ContainsSubstring("random weights (seed 3): expected the weights that the model was made from"));
  rvm::Config config = kConfig;
  config.width = 20;
  CHECK_THAT(failure(model, rvm::random_weights(config, 2)).expected(), ContainsSubstring("the model was made from"));
  rvm::Tensor<float> bias = weights.at("encoder/LayerNorm_0/bias").as<float>();
  bias(23) += 1e-6F;
  CHECK_THAT(failure(model, with(weights, "encoder/LayerNorm_0/bias", bias)).expected(),
             ContainsSubstring("the model was made from"));
}
