#include <rvm/weights/npy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace {

const std::string kData = std::string(RVM_TEST_DATA) + "/npy/";

/// What the fixtures hold: [2, 3, 4] with (i / 4 - 2) at place i.
float fixture_value(std::size_t i) {
  return static_cast<float>(i) / 4.0F - 2.0F;
}

}  // namespace

TEST_CASE("arrays that numpy has written are read") {
  const auto check = [](const auto& array) {
    REQUIRE(array.shape() == rvm::Shape{2, 3, 4});
    for (std::size_t i = 0; i < 24; ++i) CHECK(static_cast<float>(array.data()[i]) == fixture_value(i));
  };
  check(rvm::load_npy<float>(kData + "v1_float32.npy"));
  check(rvm::load_npy<double>(kData + "v2_float64.npy"));
  check(rvm::load_npy<rvm::float16>(kData + "v3_float16.npy"));
  check(rvm::load_npy<float>(kData + "fortran_float32.npy"));
  check(rvm::load_npy<double>(kData + "fortran_float64.npy"));

  const auto scalar = rvm::load_npy<std::int64_t>(kData + "scalar_int64.npy");
  CHECK(scalar.shape().rank() == 0);
  CHECK(scalar.data()[0] == -7);
  const auto flags = rvm::load_npy<bool>(kData + "bool.npy");
  CHECK(std::vector<bool>(flags.begin(), flags.end()) == std::vector<bool>{true, false, true});
  CHECK(rvm::load_npy<std::int16_t>(kData + "empty_int16.npy").shape() == rvm::Shape{0, 3});

  std::vector<float> values(6);
  rvm::open_npy(kData + "bfloat16.npy").copy_to(values);
  CHECK(values == std::vector<float>{-2, -1, 0, 1, 2, 3});
}

TEST_CASE("a file of another type, cut off or too long is refused") {
  const test::TempDir dir;
  REQUIRE_THROWS_AS(rvm::load_npy<double>(kData + "v1_float32.npy"), rvm::WeightsError);
  REQUIRE_THROWS_WITH(rvm::load_npy<double>(kData + "v1_float32.npy"),
                      ContainsSubstring("expected float64, found float32"));
  REQUIRE_THROWS_AS(rvm::load_npy<double>(dir / "missing.npy"), rvm::IoError);

  std::vector<std::byte> bytes = test::read_file(kData + "v1_float32.npy");
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    test::write_file(dir / "cut.npy", std::span(bytes).first(n));
    REQUIRE_THROWS_AS(rvm::load_npy<float>(dir / "cut.npy"), rvm::WeightsError);
    REQUIRE_THROWS_AS(rvm::NpyReader(dir / "cut.npy"), rvm::WeightsError);
  }
  bytes.emplace_back();
  test::write_file(dir / "long.npy", bytes);
  REQUIRE_THROWS_WITH(rvm::load_npy<float>(dir / "long.npy"), ContainsSubstring("expected 96 bytes"));
}

TEST_CASE("an array is saved as numpy saves it") {
  const test::TempDir dir;
  rvm::Tensor<float> array({2, 3, 4});
  for (std::size_t i = 0; i < array.size(); ++i) array.data()[i] = fixture_value(i);
  rvm::save_npy(dir / "tensor.npy", array);
  CHECK(test::read_file(dir / "tensor.npy") == test::read_file(kData + "v1_float32.npy"));

  const rvm::Tensor<float>& constant = array;
  rvm::save_npy(dir / "slice.npy", constant[1]);
  const auto slice = rvm::load_npy<float>(dir / "slice.npy");
  CHECK(slice.shape() == rvm::Shape{3, 4});
  CHECK(std::ranges::equal(slice.span(), constant[1].span()));

  rvm::save_npy(dir / "empty.npy", rvm::Tensor<double>({0, 2}));
  CHECK(rvm::load_npy<double>(dir / "empty.npy").shape() == rvm::Shape{0, 2});
}

TEST_CASE("a view of nothing is an array of nothing") {
  const test::TempDir dir;
  rvm::save_npy(dir / "none.npy", rvm::TensorView<const float>());
  CHECK(rvm::open_npy(dir / "none.npy").shape() == rvm::Shape{0});
}

TEST_CASE("a video is read slice by slice") {
  const rvm::NpyReader video(kData + "video_uint8.npy");
  CHECK(video.dtype() == rvm::DType::kUint8);
  CHECK(video.shape() == rvm::Shape{2, 4, 5, 3});
  REQUIRE(video.count() == 2);
  const std::span<const std::byte> frame = video.slice(1);
  REQUIRE(frame.size() == 60);
  for (std::size_t i = 0; i < frame.size(); ++i) CHECK(frame[i] == static_cast<std::byte>(60 + i));
  video.discard(1);
  video.discard(2);
  CHECK(video.slice(1)[0] == std::byte{60});
  REQUIRE_THROWS_AS(video.slice(2), rvm::ArgumentError);

  const rvm::NpyReader empty(kData + "empty_int16.npy");
  CHECK(empty.count() == 0);
  REQUIRE_THROWS_AS(empty.slice(0), rvm::ArgumentError);
  REQUIRE_THROWS_WITH(rvm::NpyReader(kData + "scalar_int64.npy"), ContainsSubstring("at least one axis"));
  REQUIRE_THROWS_WITH(rvm::NpyReader(kData + "fortran_float32.npy"), ContainsSubstring("found Fortran order"));
}

TEST_CASE("an array of unknown length is written item by item") {
  const test::TempDir dir;
  {
    rvm::NpyWriter writer(dir / "items.npy", rvm::DType::kFloat32, {2, 3});
    CHECK(writer.count() == 0);
    rvm::Tensor<float> item({2, 3});
    for (int i = 0; i < 11; ++i) {
      std::fill(item.begin(), item.end(), static_cast<float>(i));
      writer.append(item);
    }
    writer.append(std::vector<float>(12, 11.0F));
    writer.append(std::span<const float>());
    CHECK(writer.count() == 13);
    CHECK_FALSE(std::filesystem::exists(dir / "items.npy"));
    writer.close();
    REQUIRE_THROWS_AS(writer.append(item), rvm::ArgumentError);
    REQUIRE_THROWS_AS(writer.close(), rvm::ArgumentError);
  }
  const auto items = rvm::load_npy<float>(dir / "items.npy");
  REQUIRE(items.shape() == rvm::Shape{13, 2, 3});
  for (std::size_t i = 0; i < 13; ++i) CHECK(items(i, 1, 2) == std::min(static_cast<float>(i), 11.0F));

  rvm::save_npy(dir / "whole.npy", items);
  CHECK(test::read_file(dir / "items.npy") == test::read_file(dir / "whole.npy"));

  rvm::NpyWriter none(dir / "none.npy", rvm::DType::kUint8, {});
  none.close();
  CHECK(rvm::load_npy<std::uint8_t>(dir / "none.npy").shape() == rvm::Shape{0});
}

TEST_CASE("a writer refuses what does not fit, and leaves nothing without close") {
  const test::TempDir dir;
  {
    rvm::NpyWriter writer(dir / "items.npy", rvm::DType::kFloat32, {2, 3});
    REQUIRE_THROWS_WITH(writer.append(std::vector<double>(6)), ContainsSubstring("float32, not float64"));
    REQUIRE_THROWS_WITH(writer.append(std::vector<float>(7)), ContainsSubstring("7 elements"));
    writer.append(std::vector<float>(6));
    CHECK(writer.count() == 1);
  }
  CHECK(dir.empty());
  REQUIRE_THROWS_AS(rvm::NpyWriter(dir / "none.npy", rvm::DType::kFloat32, {0}), rvm::ArgumentError);
  REQUIRE_THROWS_AS(rvm::NpyWriter(dir / "none.npy", rvm::DType::kFloat32, {1, 1, 1, 1, 1, 1, 1, 1}),
                    rvm::ArgumentError);
  REQUIRE_THROWS_AS(rvm::NpyWriter(dir / "no/none.npy", rvm::DType::kFloat32, {1}), rvm::IoError);
  CHECK(dir.empty());
}
