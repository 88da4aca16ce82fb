#include <rvm/weights/npz.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/archive.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace {

using Bytes = std::vector<std::byte>;
using rvm::detail::append_bytes;
using test::Archive;
using test::npy_of;
using test::stored;

const std::string kData = std::string(RVM_TEST_DATA) + "/";

rvm::Weights load(const test::TempDir& dir, std::span<const std::byte> bytes) {
  test::write_file(dir / "file.npz", bytes);
  return rvm::load_npz(dir / "file.npz");
}

/// The arrays in npy/stored.npz and npy/deflated.npz as numpy has written them.
void check_sample(const rvm::Weights& weights) {
  CHECK(weights.keys() == std::vector<std::string>{"group/a", "b", "c", "h"});
  for (const char* key : {"group/a", "b", "h"}) {
    std::vector<float> values(24);
    CHECK(weights.at(key).shape() == rvm::Shape{2, 3, 4});
    weights.at(key).copy_to(values);
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == static_cast<float>(i) / 4.0F - 2.0F);
  }
  CHECK(weights.at("b").fortran_order());
  CHECK(weights.at("b").dtype() == rvm::DType::kFloat64);
  CHECK(weights.at("h").dtype() == rvm::DType::kFloat16);
  CHECK(weights.at("c").as<std::int32_t>()(4) == 4);
}

/// Whether every array of the sample that can be read has the right values; reads all, and counts rvm::Error only.
bool harmless(const test::TempDir& dir, std::span<const std::byte> bytes, const rvm::Weights& sample) {
  try {
    const rvm::Weights weights = load(dir, bytes);
    for (const std::string& key : weights.keys()) {
      if (!sample.contains(key)) continue;
      try {
        const rvm::WeightArray right = sample.at(key);
        const rvm::WeightArray array = weights.at(key);
        if (array.dtype() == rvm::DType::kInt32) {
          if (!std::ranges::equal(array.as<std::int32_t>().span(), right.as<std::int32_t>().span())) return false;
          continue;
        }
        std::vector<float> found(array.shape().elements());
        std::vector<float> expected(right.shape().elements());
        array.copy_to(found);
        right.copy_to(expected);
        if (found != expected) return false;
      } catch (const rvm::Error&) {
      }
    }
  } catch (const rvm::Error&) {
  }
  return true;
}

}  // namespace

TEST_CASE("a checkpoint of stored arrays is read in place") {
  const rvm::Weights weights = rvm::load_npz(kData + "weights.npz");
  CHECK(weights.source() == kData + "weights.npz");
  CHECK(weights.size() == 157);
  CHECK(weights.keys().front() == "cls_token");
  const auto kernel = weights.at("encoder/layers_1/attention/query/kernel").as<float>();
  REQUIRE(kernel.shape() == rvm::Shape{48, 3, 16});
  CHECK(kernel.data()[0] == -0.13556078F);
  CHECK(kernel(47, 2, 15) == 0.08656455F);
  CHECK(std::abs(std::accumulate(kernel.begin(), kernel.end(), 0.0) - 7.012822687320295) < 1e-9);
  weights.discard("encoder/layers_1/attention/query/kernel");
  CHECK(weights.at("detokenizer/Dense_0/kernel").as<float>()(31, 767) == 0.14602642F);
}

TEST_CASE("deflated arrays are unpacked, whatever their type") {
  const rvm::Weights weights = rvm::load_npz(kData + "features_64x64.npz");
  const auto video = weights.at("video").as<std::uint8_t>();
  REQUIRE(video.shape() == rvm::Shape{4, 64, 64, 3});
  CHECK(video(0, 0, 0, 0) == 65);
  CHECK(std::accumulate(video.begin(), video.end(), 0L) == 6183806);
  const auto features = weights.at("features").as<float>();
  REQUIRE(features.shape() == rvm::Shape{4, 17, 48});
  CHECK(features(3, 16, 47) == 2.3428154F);
  CHECK(std::abs(std::accumulate(features.begin(), features.end(), 0.0) + 22.202867139931186) < 1e-9);
  const rvm::WeightArray array = rvm::load_npz(kData + "reconstruct_96x160.npz").at("deltas");
  CHECK(array.as<std::int32_t>()(0) == 52);
}

TEST_CASE("what numpy's savez and savez_compressed write is read") {
  check_sample(rvm::load_npz(kData + "npy/stored.npz"));
  check_sample(rvm::load_npz(kData + "npy/deflated.npz"));
}

TEST_CASE("an archive cut off anywhere is refused") {
  const test::TempDir dir;
  for (const char* name : {"npy/stored.npz", "npy/deflated.npz"}) {
    const Bytes bytes = test::read_file(kData + name);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      INFO(name << " cut to " << n);
      REQUIRE_THROWS_AS(load(dir, std::span(bytes).first(n)), rvm::WeightsError);
    }
  }
  REQUIRE_THROWS_WITH(load(dir, {}), ContainsSubstring("may be cut off"));
}

TEST_CASE("no damaged byte changes a value unnoticed") {
  const test::TempDir dir;
  for (const char* name : {"npy/stored.npz", "npy/deflated.npz"}) {
    const rvm::Weights sample = rvm::load_npz(kData + name);
    Bytes bytes = test::read_file(kData + name);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const std::byte mask : {std::byte{0xff}, std::byte{0x01}, std::byte{0x80}}) {
        INFO(name << " at " << i);
        bytes[i] ^= mask;
        REQUIRE(harmless(dir, bytes, sample));
        bytes[i] ^= mask;
      }
    }
  }
}

TEST_CASE("a member is touched only when it is asked for") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  Bytes bytes = Archive().add(stored("bad.npy", good), good).add(stored("good.npy", good), good).finish();
  std::fill_n(bytes.begin(), 100, std::byte{0});
  const rvm::Weights weights = load(dir, bytes);
  CHECK(weights.at("good").as<float>()(1) == 2.0F);
  REQUIRE_THROWS_WITH(weights.at("bad"), ContainsSubstring("bad: expected a ZIP member, found other bytes"));
}

TEST_CASE("a member with a wrong CRC gives its shape but no values") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  rvm::detail::ZipMember member = stored("a.npy", good);
  ++member.crc32;
  const rvm::Weights weights = load(dir, Archive().add(member, good).finish());
  CHECK(weights.at("a").shape() == rvm::Shape{2});
  std::vector<float> out(2);
  REQUIRE_THROWS_AS(weights.at("a").copy_to(out), rvm::WeightsError);
  REQUIRE_THROWS_WITH(weights.at("a").as<float>(), ContainsSubstring("CRC-32") && ContainsSubstring("damaged"));
  REQUIRE_THROWS_AS(rvm::save_npz(dir / "copy.npz", weights), rvm::WeightsError);
  CHECK_FALSE(std::filesystem::exists(dir / "copy.npz"));
}

TEST_CASE("members that cannot be read are refused by what they are") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  const auto message = [&](auto change, const Bytes& data) {
    rvm::detail::ZipMember member = stored("a.npy", data);
    change(member);
    try {
      load(dir, Archive().add(member, data).finish()).at("a").as<float>();
    } catch (const rvm::WeightsError& error) {
      return std::string(error.what());
    }
    return std::string("read");
  };
  using Member = rvm::detail::ZipMember;
  CHECK(message([](Member&) {}, good) == "read");
  CHECK_THAT(message([](Member& m) { m.method = 12; }, good), ContainsSubstring("(deflated), found 12"));
  CHECK_THAT(message([](Member& m) { m.flags = 1; }, good), ContainsSubstring("encrypted"));
  CHECK_THAT(message([](Member& m) { m.size += 4; }, good), ContainsSubstring("stored bytes"));
  CHECK_THAT(message([](Member& m) { m.size = m.compressed_size -= 4; }, good), ContainsSubstring("expected 8 bytes"));
  CHECK_THAT(message([](Member& m) { m.compressed_size = ~std::uint64_t{0}; }, good), ContainsSubstring("directory"));
  CHECK_THAT(message([](Member& m) { m.method = 8; }, test::bytes_of("\x07 no block")),
             ContainsSubstring("damaged ones"));
  CHECK_THAT(message([](Member& m) { m.method = 8, m.size = std::uint64_t{1} << 60; }, good),
             ContainsSubstring("can unpack to"));
  CHECK_THAT(message([](Member&) {}, test::bytes_of("text")), ContainsSubstring(".npy header"));
  CHECK(message([](Member& m) { m.flags = 8; }, good) == "read");
}

TEST_CASE("a deflated member unpacks to exactly its declared size") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  Bytes packed = test::deflated(good);
  rvm::detail::ZipMember member = test::packed_member("a.npy", good, packed);
  CHECK(load(dir, Archive().add(member, packed).finish()).at("a").as<float>()(1) == 2.0F);
  const auto refuses = [&](const std::string& message) {
    REQUIRE_THROWS_WITH(load(dir, Archive().add(member, packed).finish()).at("a"), ContainsSubstring(message));
  };
  member.size = good.size() - 1;
  refuses("expected 8 bytes for float32 of shape (2,), found 7 bytes");
  member.size = good.size() + 1;
  refuses("unpacked bytes, found " + std::to_string(good.size()));
  member.size = good.size();
  packed.push_back(std::byte{0});
  ++member.compressed_size;
  refuses("deflated bytes that end with the member");
  packed = test::deflated(good);
  packed[0] = std::byte{0};  // not the last block, they say
  --member.compressed_size;
  refuses("deflated bytes that end with the member");
  packed[0] = std::byte{1};
  ++member.crc32;
  refuses("CRC-32");
  --member.crc32;
  Bytes longer = good;
  longer.emplace_back();
  packed = test::deflated(longer);
  ++member.compressed_size;
  refuses("unpacked bytes, found more");
}

TEST_CASE("sizes that fit 32 bits may be in a ZIP64 field") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  const Bytes packed = test::deflated(good);
  const rvm::detail::ZipMember member = test::packed_member("a.npy", good, packed);
  Bytes entry;
  rvm::detail::append_zip_entry(entry, member);
  std::fill_n(entry.begin() + 20, 8, std::byte{0xff});  // both sizes
  entry[30] = std::byte{20};                            // of the extra field
  rvm::detail::append_le(entry, rvm::detail::kZip64Extra);
  rvm::detail::append_le(entry, std::uint16_t{16});
  rvm::detail::append_le(entry, member.size);
  rvm::detail::append_le(entry, member.compressed_size);
  Bytes bytes = rvm::detail::zip_local_header(member);
  append_bytes(bytes, packed);
  const std::size_t offset = bytes.size();
  append_bytes(bytes, entry);
  append_bytes(bytes, rvm::detail::zip_end(1, entry.size(), offset));
  CHECK(load(dir, bytes).at("a").as<float>()(1) == 2.0F);
}

TEST_CASE("a directory that lies is refused") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  Archive archive;
  archive.add(stored("a.npy", good), good);
  REQUIRE_THROWS_AS(load(dir, archive.finish(1)), rvm::WeightsError);
  REQUIRE_THROWS_AS(load(dir, archive.finish(~std::uint64_t{0})), rvm::WeightsError);
  REQUIRE_THROWS_AS(load(dir, archive.finish(std::uint64_t{1} << 62)), rvm::WeightsError);
  archive.add(stored("a", good), good);
  REQUIRE_THROWS_WITH(load(dir, archive.finish()), ContainsSubstring("a: expected every key once"));
}

TEST_CASE("an archive may end in a comment") {
  const test::TempDir dir;
  const Bytes good = npy_of(1, 2);
  Bytes bytes = Archive().add(stored("a.npy", good), good).finish();
  const std::string comment = "PK\x05\x06 is how a directory's end begins, and this comment too";
  bytes[bytes.size() - 2] = static_cast<std::byte>(comment.size());
  append_bytes(bytes, test::bytes_of(comment));
  CHECK(load(dir, bytes).at("a").as<float>()(0) == 1.0F);
  bytes.pop_back();
  REQUIRE_THROWS_AS(load(dir, bytes), rvm::WeightsError);

  bytes = Archive().add(stored("a.npy", good), good).finish();
  bytes[bytes.size() - 2] = bytes[bytes.size() - 1] = std::byte{0xff};
  bytes.resize(bytes.size() + 0xffff);  // the longest comment
  CHECK(load(dir, bytes).at("a").as<float>()(0) == 1.0F);
}

TEST_CASE("members behind 4 GiB are reached") {
  constexpr std::uint64_t kLarge = std::uint64_t{5} << 30;
  const test::TempDir dir;
  const Bytes small = npy_of(1, 2);
  const Bytes header = rvm::npy_header(rvm::DType::kUint8, {kLarge});
  rvm::detail::ZipMember large = stored("large.npy", header);
  large.size = large.compressed_size = header.size() + kLarge;
  rvm::detail::ZipMember late = stored("late.npy", small);
  {
    // The large member's elements are a hole in the file: they cost no disk.
    std::ofstream file(dir / "large.npz", std::ios::binary);
    std::uint64_t at = 0;
    const auto write = [&](std::span<const std::byte> bytes) {
      file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      at += bytes.size();
    };
    write(rvm::detail::zip_local_header(large));
    write(header);
    file.seekp(static_cast<std::streamoff>(at += kLarge));
    late.offset = at;
    write(rvm::detail::zip_local_header(late));
    write(small);
    Bytes directory;
    rvm::detail::append_zip_entry(directory, large);
    rvm::detail::append_zip_entry(directory, late);
    const std::uint64_t offset = at;
    write(directory);
    write(rvm::detail::zip_end(2, directory.size(), offset));
    REQUIRE(file.flush());
  }
  const rvm::Weights weights = rvm::load_npz(dir / "large.npz");
  CHECK(weights.at("late").as<float>()(1) == 2.0F);
  const rvm::WeightArray array = weights.at("large");
  CHECK(array.shape() == rvm::Shape{kLarge});
  REQUIRE(array.bytes().size() == kLarge);
  CHECK(array.bytes().back() == std::byte{0});
  weights.discard("large");
}

TEST_CASE("written arrays are read back, and copied as they are") {
  const test::TempDir dir;
  rvm::Tensor<float> floats({2, 3});
  std::iota(floats.begin(), floats.end(), 0.5F);
  rvm::Tensor<std::uint8_t> bytes({4});
  bytes(3) = 200;
  {
    rvm::NpzWriter writer(dir / "a.npz");
    writer.add("group/floats", floats);
    writer.add(
        "gr\xc3\xbc\xc3\x9f"
        "e",
        std::as_const(bytes).view());
    writer.add("empty", rvm::Tensor<double>());
    REQUIRE_THROWS_WITH(writer.add("empty", floats), ContainsSubstring("two arrays named empty"));
    REQUIRE_THROWS_AS(writer.add(std::string(70'000, 'k'), floats), rvm::ArgumentError);
    CHECK_FALSE(std::filesystem::exists(dir / "a.npz"));
    writer.close();
    REQUIRE_THROWS_AS(writer.close(), rvm::ArgumentError);
  }
  const rvm::Weights weights = rvm::load_npz(dir / "a.npz");
  CHECK(weights.keys() == std::vector<std::string>{"group/floats",
                                                   "gr\xc3\xbc\xc3\x9f"
                                                   "e",
                                                   "empty"});
  CHECK(std::ranges::equal(weights.at("group/floats").as<float>().span(), floats.span()));
  CHECK(weights
            .at("gr\xc3\xbc\xc3\x9f"
                "e")
            .as<std::uint8_t>()(3) == 200);
  CHECK(weights.at("empty").as<double>().shape() == rvm::Shape{0});

  rvm::save_npz(dir / "b.npz", weights);
  CHECK(test::read_file(dir / "a.npz") == test::read_file(dir / "b.npz"));
  rvm::save_npz(dir / "c.npz", rvm::load_npz(kData + "npy/deflated.npz"));
  check_sample(rvm::load_npz(dir / "c.npz"));
}

TEST_CASE("a writer that is not closed leaves nothing") {
  const test::TempDir dir;
  {
    rvm::NpzWriter writer(dir / "a.npz");
    writer.add("a", rvm::Tensor<float>({1000}));
  }
  CHECK(dir.empty());
  rvm::NpzWriter none(dir / "none.npz");
  none.close();
  CHECK(rvm::load_npz(dir / "none.npz").size() == 0);
}

TEST_CASE("an archive may have more members than 16 bits count") {
  const test::TempDir dir;
  constexpr std::size_t kCount = 66'000;
  rvm::NpzWriter writer(dir / "many.npz");
  rvm::Tensor<std::int32_t> value({1});
  for (std::size_t i = 0; i < kCount; ++i) {
    value(0) = static_cast<std::int32_t>(i);
    writer.add(std::to_string(i), value);
  }
  writer.close();
  const rvm::Weights weights = rvm::load_npz(dir / "many.npz");
  CHECK(weights.size() == kCount);
  CHECK(weights.at("65999").as<std::int32_t>()(0) == 65'999);
}

TEST_CASE("several threads read the same archive") {
  const rvm::Weights stored_weights = rvm::load_npz(kData + "npy/stored.npz");
  const rvm::Weights deflated_weights = rvm::load_npz(kData + "npy/deflated.npz");
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        if (stored_weights.at("c").as<std::int32_t>()(4) == 4) ++right;
        if (deflated_weights.at("c").as<std::int32_t>()(4) == 4) ++right;
        stored_weights.discard("c");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 400);
}
