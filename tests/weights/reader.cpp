#include <rvm/weights/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

rvm::Tensor<float> numbers(const rvm::Shape& shape, float first) {
  rvm::Tensor<float> out(shape);
  for (std::size_t i = 0; i < out.size(); ++i) out.data()[i] = first + static_cast<float>(i);
  return out;
}

/// Arrays "a" and "b" of the same shape, beginning with these numbers.
rvm::WeightReader pair(float a, float b) {
  std::vector<std::pair<std::string, rvm::Tensor<float>>> tensors;
  tensors.emplace_back("a", numbers({2, 3}, a));
  tensors.emplace_back("b", numbers({2, 3}, b));
  return rvm::WeightReader(rvm::Weights::from_tensors("memory", std::move(tensors)));
}

std::uint64_t fingerprint(rvm::WeightReader reader, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) reader.read(key, {2, 3});
  return reader.fingerprint();
}

}  // namespace

TEST_CASE("an array is read with the shape that is asked for, or refused") {
  rvm::WeightReader reader = pair(1, 10);
  CHECK(reader.read("b", {2, 3})(1, 2) == 15.0F);
  CHECK(reader.shape("a", 2) == rvm::Shape{2, 3});
  CHECK_THROWS_WITH(reader.shape("a", 1), "memory: a: expected 1 axes, found shape (2, 3)");
  CHECK_THROWS_WITH(reader.read("a", {3, 2}),
                    ContainsSubstring("expected shape (3, 2)") && ContainsSubstring("found shape (2, 3)"));
  CHECK_THROWS_AS(reader.read("c", {2, 3}), rvm::WeightsError);
}

TEST_CASE("a fingerprint depends on keys and values, not on the order of reading") {
  const std::uint64_t expected = fingerprint(pair(1, 10), {"a", "b"});
  CHECK(fingerprint(pair(1, 10), {"b", "a"}) == expected);
  CHECK(fingerprint(pair(10, 1), {"a", "b"}) != expected);  // the same arrays under each other's keys
  CHECK(fingerprint(pair(1, 11), {"a", "b"}) != expected);
  CHECK(fingerprint(pair(1, 10), {"a"}) != expected);
  CHECK(fingerprint(pair(1, 10), {}) == 0);
}
