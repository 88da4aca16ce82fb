#include <rvm/weights/weights.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

rvm::Tensor<float> filled(const rvm::Shape& shape, float value) {
  rvm::Tensor<float> tensor(shape);
  std::fill(tensor.begin(), tensor.end(), value);
  return tensor;
}

rvm::Weights sample() {
  std::vector<std::pair<std::string, rvm::Tensor<float>>> tensors;
  tensors.emplace_back("encoder/norm/scale", filled({3}, 1.0F));
  tensors.emplace_back("encoder/norm/bias", filled({3}, 2.0F));
  tensors.emplace_back("core/kernel", filled({2, 2}, 3.0F));
  return rvm::Weights::from_tensors("memory", std::move(tensors));
}

}  // namespace

TEST_CASE("weights map keys to arrays, in order") {
  const rvm::Weights weights = sample();
  CHECK(weights.source() == "memory");
  CHECK(weights.size() == 3);
  CHECK(weights.keys() == std::vector<std::string>{"encoder/norm/scale", "encoder/norm/bias", "core/kernel"});
  CHECK(weights.contains("core/kernel"));
  CHECK_FALSE(weights.contains("core/kerne"));
  const rvm::WeightArray array = weights.at("core/kernel");
  CHECK(array.file() == "memory");
  CHECK(array.key() == "core/kernel");
  CHECK(array.dtype() == rvm::DType::kFloat32);
  CHECK(array.as<float>()(1, 1) == 3.0F);
  weights.discard("core/kernel");
  weights.discard("missing");
  CHECK(weights.at("core/kernel").as<float>()(0, 0) == 3.0F);
}

TEST_CASE("an array outlives the weights it came from") {
  const rvm::WeightArray array = sample().at("encoder/norm/bias");
  CHECK(array.as<float>()(2) == 2.0F);
}

TEST_CASE("a missing key is reported with the closest one") {
  const rvm::Weights weights = sample();
  REQUIRE_THROWS_AS(weights.at("encoder/norm/scal"), rvm::WeightsError);
  REQUIRE_THROWS_WITH(weights.at("encoder/norm/scal"),
                      "memory: encoder/norm/scal: expected the array to be present, found no such key among 3; the "
                      "closest is \"encoder/norm/scale\"");
  REQUIRE_THROWS_WITH(weights.at("x"), "memory: x: expected the array to be present, found no such key among 3");
  REQUIRE_THROWS_WITH(rvm::Weights::from_tensors("none", {}).at(""), ContainsSubstring("among 0"));
}

TEST_CASE("a key that occurs twice is refused") {
  std::vector<std::pair<std::string, rvm::Tensor<float>>> tensors(2, {"a", rvm::Tensor<float>()});
  REQUIRE_THROWS_AS(rvm::Weights::from_tensors("memory", std::move(tensors)), rvm::WeightsError);
}

TEST_CASE("several threads read the same weights") {
  const rvm::Weights weights = sample();
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&right, weights] {
      for (int j = 0; j < 100; ++j) {
        if (weights.at("encoder/norm/bias").as<float>()(0) == 2.0F) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 400);
}

TEST_CASE("the distance of two texts is the number of edits") {
  CHECK(rvm::detail::edit_distance("", "") == 0);
  CHECK(rvm::detail::edit_distance("abc", "") == 3);
  CHECK(rvm::detail::edit_distance("", "abc") == 3);
  CHECK(rvm::detail::edit_distance("kitten", "sitting") == 3);
  CHECK(rvm::detail::edit_distance("saturday", "sunday") == 3);
  CHECK(rvm::detail::edit_distance("sunday", "saturday") == 3);
  CHECK(rvm::detail::closest_key(std::string(1000, 'a'), {std::string(1000, 'a')}).empty());
}
