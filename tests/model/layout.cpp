#include <rvm/model/layout.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

TEST_CASE("the layout is that of the authors' checkpoints, array for array") {
  const rvm::Weights weights = test::small_weights();
  const rvm::WeightReader reader(weights);
  rvm::Config config = rvm::read_config(reader);
  config.decoder = rvm::read_decoder_config(reader);
  std::vector<std::string> keys;
  for (const rvm::ArrayDescription& array : rvm::checkpoint_layout(config)) {
    CAPTURE(array.key);
    keys.push_back(array.key);
    REQUIRE(weights.contains(array.key));
    CHECK(weights.at(array.key).shape() == array.shape);
  }
  CHECK(keys.size() == weights.size());
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("the published sizes have the published numbers of parameters") {
  const auto parameters = [](const char* name) {
    rvm::Config config = rvm::Config::variant(name);
    config.decoder.reset();
    std::size_t total = 0;
    for (const rvm::ArrayDescription& array : rvm::checkpoint_layout(config)) total += array.shape.elements();
    return total;
  };
  CHECK(parameters("S") == 33'222'272);
  CHECK(parameters("B") == 125'816'064);
  CHECK(parameters("L") == 374'483'968);
  CHECK(parameters("H") == 742'178'560);
}

TEST_CASE("unknown keys are listed, in the file's order, and known ones are not") {
  CHECK(rvm::unknown_keys(test::small_weights()).empty());
  std::vector<std::pair<std::string, rvm::Tensor<float>>> arrays;
  arrays.emplace_back("zeta", rvm::Tensor<float>({1}));
  const rvm::Weights weights = test::small_weights();
  for (const std::string& key : weights.keys()) arrays.emplace_back(key, weights.at(key).as<float>());
  arrays.emplace_back("encoder/layers_0/mlp/gate/kernel", rvm::Tensor<float>({2, 2}));
  CHECK(rvm::unknown_keys(rvm::Weights::from_tensors("extra", std::move(arrays))) ==
        std::vector<std::string>{"zeta", "encoder/layers_0/mlp/gate/kernel"});
  CHECK(rvm::unknown_keys(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}})).empty());
}
