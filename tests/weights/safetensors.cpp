#include <rvm/weights/safetensors.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace {

using Bytes = std::vector<std::byte>;

Bytes file_of(const std::string& header, std::span<const std::byte> data) {
  Bytes out;
  rvm::detail::append_le(out, std::uint64_t{header.size()});
  rvm::detail::append_text(out, header);
  rvm::detail::append_bytes(out, data);
  return out;
}

rvm::Weights load(const test::TempDir& dir, std::span<const std::byte> bytes) {
  test::write_file(dir / "file.safetensors", bytes);
  return rvm::load_safetensors(dir / "file.safetensors");
}

std::string tensor(const std::string& key, const std::string& dtype, const std::string& shape, int begin, int end) {
  return "\"" + key + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

/// Four kinds of tensors; the header names them in another order than that of their bytes.
Bytes sample() {
  Bytes data;
  for (const float value : {1.0F, -2.5F}) rvm::detail::append_le(data, std::bit_cast<std::uint32_t>(value));
  for (const float value : {3.0F, 4.0F, 5.0F}) rvm::detail::append_le(data, rvm::bfloat16(value).bits);
  rvm::detail::append_le(data, std::uint8_t{7});
  rvm::detail::append_le(data, rvm::float16(0.5F).bits);
  return file_of("{" + tensor("half", "F16", "[]", 15, 17) + ",\"__metadata__\":{\"format\":\"pt\"}," +
                     tensor("a/float", "F32", "[2,1]", 0, 8) + "," + tensor("brain", "BF16", "[3]", 8, 14) + "," +
                     tensor("byte", "U8", "[1]", 14, 15) + "}   ",
                 data);
}

std::string message(const test::TempDir& dir, const std::string& header, std::size_t size) {
  try {
    load(dir, file_of(header, Bytes(size)));
  } catch (const rvm::WeightsError& error) {
    return error.what();
  }
  return "read";
}

}  // namespace

TEST_CASE("safetensors of several types are read in place") {
  const test::TempDir dir;
  const rvm::Weights weights = load(dir, sample());
  CHECK(weights.source() == (dir / "file.safetensors").string());
  CHECK(weights.keys() == std::vector<std::string>{"a/float", "brain", "byte", "half"});
  CHECK(weights.at("a/float").as<float>()(1, 0) == -2.5F);
  std::vector<float> brain(3);
  weights.at("brain").copy_to(brain);
  CHECK(brain == std::vector<float>{3, 4, 5});
  CHECK(weights.at("byte").as<std::uint8_t>()(0) == 7);
  std::vector<float> half(1);
  weights.at("half").copy_to(half);
  CHECK(half[0] == 0.5F);
  weights.discard("brain");
  REQUIRE_THROWS_WITH(weights.at("__metadata__"), ContainsSubstring("no such key among 4"));
}

TEST_CASE("a safetensors file cut off or too long is refused") {
  const test::TempDir dir;
  Bytes bytes = sample();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    INFO(n);
    REQUIRE_THROWS_AS(load(dir, std::span(bytes).first(n)), rvm::WeightsError);
  }
  bytes.emplace_back();
  REQUIRE_THROWS_WITH(load(dir, bytes), ContainsSubstring("expected 17 bytes of tensors, found 18"));
}

TEST_CASE("no damaged byte of a safetensors file does more than throw") {
  const test::TempDir dir;
  Bytes bytes = sample();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int mask : {0xff, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80}) {
      bytes[i] ^= static_cast<std::byte>(mask);
      try {
        const rvm::Weights weights = load(dir, bytes);
        for (const std::string& key : weights.keys()) {
          const rvm::WeightArray array = weights.at(key);
          std::vector<float> values(array.shape().elements());
          array.copy_to(values);
        }
      } catch (const rvm::Error&) {
      }
      bytes[i] ^= static_cast<std::byte>(mask);
    }
  }
}

TEST_CASE("headers that are not right are refused by what is wrong") {
  const test::TempDir dir;
  CHECK(message(dir, "{}", 0) == "read");
  CHECK(message(dir, "{" + tensor("a", "F32", "[0,3]", 0, 0) + "," + tensor("b", "I16", "[2]", 0, 4) + "}", 4) ==
        "read");
  CHECK_THAT(message(dir, "{\"a\":", 0), ContainsSubstring("damaged JSON"));
  CHECK_THAT(message(dir, "[1]", 0), ContainsSubstring("found JSON array"));
  CHECK_THAT(message(dir, "{\"a\":1}", 0), ContainsSubstring("a: expected 'dtype', found none"));
  CHECK_THAT(message(dir, "{\"a\":{\"dtype\":\"F32\"}}", 0), ContainsSubstring("a: expected 'shape', found none"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F8_E4M3", "[1]", 0, 1) + "}", 1), ContainsSubstring("found F8_E4M3"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F32", "[-1]", 0, 4) + "}", 4),
             ContainsSubstring("whole numbers in 'shape'"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F32", "[1e0]", 0, 4) + "}", 4), ContainsSubstring("whole numbers"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F32", "1", 0, 4) + "}", 4), ContainsSubstring("a list 'shape'"));
  CHECK_THAT(message(dir, "{" + tensor("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) + "}", 1), ContainsSubstring("8 axes"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F32", "[2]", 0, 4) + "}", 4),
             ContainsSubstring("expected 8 bytes for F32"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F64", "[4611686018427387904,4]", 0, 0) + "}", 0),
             ContainsSubstring("expected more bytes"));
  CHECK_THAT(message(dir, "{" + tensor("a", "F32", "[1]", 4, 0) + "}", 4), ContainsSubstring("'data_offsets'"));
  CHECK_THAT(message(dir, "{" + tensor("a", "U8", "[3]", 0, 3) + "," + tensor("b", "U8", "[2]", 2, 4) + "}", 4),
             ContainsSubstring("overlap"));
  CHECK_THAT(message(dir, "{" + tensor("a", "U8", "[1]", 0, 1) + "," + tensor("b", "U8", "[2]", 2, 4) + "}", 4),
             ContainsSubstring("hole"));
  CHECK_THAT(message(dir, "{" + tensor("a", "U8", "[4]", 0, 4) + "}", 3),
             ContainsSubstring("expected 4 bytes of tensors"));
  CHECK_THAT(message(dir, "{" + tensor("a", "U8", "[1]", 0, 1) + "," + tensor("a", "U8", "[1]", 1, 2) + "}", 2),
             ContainsSubstring("a: expected every key once"));
  CHECK_THAT(message(dir, "{\"a\":" + std::string(1000, '['), 0), ContainsSubstring("nested too deeply"));
  CHECK_THAT(message(dir, "{\"\xff\":1}", 0), ContainsSubstring("damaged JSON"));

  Bytes huge(100);
  huge[7] = std::byte{1};
  REQUIRE_THROWS_WITH(load(dir, huge), ContainsSubstring("at most 100 MB"));
}

TEST_CASE("saved safetensors are read back") {
  const test::TempDir dir;
  std::vector<std::pair<std::string, rvm::Tensor<float>>> tensors;
  tensors.emplace_back("z", rvm::Tensor<float>({2, 3}));
  tensors.emplace_back("a \"quoted\" key", rvm::Tensor<float>({1}));
  std::iota(tensors[0].second.begin(), tensors[0].second.end(), 0.25F);
  const auto weights = rvm::Weights::from_tensors("memory", std::move(tensors));
  rvm::save_safetensors(dir / "a.safetensors", weights);
  const rvm::Weights read = rvm::load_safetensors(dir / "a.safetensors");
  CHECK(read.keys() == weights.keys());
  CHECK(read.at("z").as<float>()(1, 2) == 5.25F);
  CHECK(read.at("z").bytes().data() != nullptr);
  rvm::save_safetensors(dir / "b.safetensors", read);
  CHECK(test::read_file(dir / "a.safetensors") == test::read_file(dir / "b.safetensors"));

  REQUIRE_THROWS_AS(rvm::save_safetensors(dir / "c.safetensors", load(dir, sample())), rvm::WeightsError);
  CHECK_FALSE(std::filesystem::exists(dir / "c.safetensors"));
}

TEST_CASE("a key that is not UTF-8 cannot be saved") {
  const test::TempDir dir;
  const rvm::Weights weights = rvm::Weights::from_tensors("memory", {{"caf\xe9", rvm::Tensor<float>({1})}});
  REQUIRE_THROWS_AS(rvm::save_safetensors(dir / "file", weights), rvm::WeightsError);
  REQUIRE_THROWS_WITH(rvm::save_safetensors(dir / "file", weights), ContainsSubstring("a key in UTF-8"));
  CHECK(dir.empty());
}
