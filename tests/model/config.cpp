#include <rvm/model/config.hpp>

#include <string>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace {

using Arrays = std::vector<std::pair<std::string, rvm::Tensor<float>>>;

const rvm::Config kSmall{24, {3, 3, 8, 40}, {2, 2, 12, 36}, rvm::DecoderConfig{16, {1, 4, 4, 20}}};

rvm::Weights without(const rvm::Weights& weights, const std::string& beginning) {
  Arrays arrays;
  for (const std::string& key : weights.keys()) {
    if (!key.starts_with(beginning)) arrays.emplace_back(key, weights.at(key).as<float>());
  }
  return rvm::Weights::from_tensors("some.npz", std::move(arrays));
}

}  // namespace

TEST_CASE("the sizes of a model are read from its arrays") {
  const rvm::WeightReader authors(test::small_weights());
  CHECK(rvm::read_config(authors) == rvm::Config{48, {2, 3, 16, 96}, {2, 4, 12, 128}, {}});
  CHECK(rvm::read_decoder_config(authors) == rvm::DecoderConfig{32, {2, 4, 8, 64}});

  const rvm::WeightReader reader(rvm::random_weights(kSmall));
  rvm::Config config = rvm::read_config(reader);
  CHECK_FALSE(config.decoder);
  config.decoder = rvm::read_decoder_config(reader);
  CHECK(config == kSmall);

  const rvm::Config deep{4, {12, 1, 4, 4}, {11, 1, 4, 4}, {}};  // block numbers of two digits
  CHECK(rvm::read_config(rvm::WeightReader(rvm::random_weights(deep))) == deep);
}

TEST_CASE("the published variants have their published sizes") {
  using rvm::Config;
  CHECK(Config::variant("S").width == 384);
  CHECK(Config::variant("S").core == rvm::TransformerConfig{4, 8, 48, 2048});
  CHECK(Config::variant("B").encoder == rvm::TransformerConfig{12, 12, 64, 3072});
  CHECK(Config::variant("L").encoder == rvm::TransformerConfig{24, 16, 64, 4096});
  CHECK(Config::variant("H").core == rvm::TransformerConfig{4, 16, 80, 5120});
  CHECK(Config::variant("H").decoder == rvm::DecoderConfig{512, {8, 16, 32, 2048}});
  CHECK_THROWS_WITH(Config::variant("XL"), ContainsSubstring("\"XL\"") && ContainsSubstring("S, B, L or H"));
  for (const char* name : {"S", "B", "L", "H"}) {
    const Config config = Config::variant(name);
    CHECK(config.encoder.inner() == config.width);
    CHECK(config.core.inner() == config.width);
  }
}

TEST_CASE("sizes that cannot be read are named") {
  const rvm::Weights weights = rvm::random_weights(kSmall);
  const auto error = [&](const std::string& missing) {
    const rvm::WeightReader reader(without(weights, missing));
    try {
      rvm::read_config(reader);
    } catch (const rvm::WeightsError& e) {
      return e.key();
    }
    return std::string("read");
  };
  CHECK(error("cls_token") == "cls_token");
  CHECK(error("encoder/layers_") == "encoder/layers_0/attention/query/kernel");
  CHECK(error("encoder/layers_0/mlp/dense_in/kernel") == "encoder/layers_0/mlp/dense_in/kernel");
  CHECK(error("rnn_core/") == "rnn_core/transformer/xa_blocks_0/attention/query/kernel");
  CHECK(error("decoder/") == "read");
  CHECK(error("encoder/layers_1") == "read");  // found missing when it is read, as layers_2 is there
  CHECK(rvm::read_config(rvm::WeightReader(without(weights, "encoder/layers_1"))).encoder.depth == 3);
}
