#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>

#include "common/mat_file.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/temp_dir.hpp"

using rvm::examples::read_mat_array;

namespace {

const std::string kJoints = test::data("evaluation/jhmdb/joint_positions/");
const std::string kCompressed = kJoints + "catch/a!b(1)_catch_0/joint_positions.mat";
const std::string kPlain = kJoints + "catch/second_catch_1/joint_positions.mat";

using Bytes = std::vector<std::byte>;

void append(Bytes& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// An element of a version 5 file: type, size, data, and zeros up to a multiple of 8.
template <class T>
void element(Bytes& out, std::uint32_t type, const std::vector<T>& values) {
  const std::vector<std::uint32_t> tag{type, static_cast<std::uint32_t>(values.size() * sizeof(T))};
  append(out, std::as_bytes(std::span(tag)));
  append(out, std::as_bytes(std::span(values)));
  out.resize((out.size() + 7) / 8 * 8);
}

/// A file with an array "x" of one of MATLAB's classes, its numbers stored as another type or the same.
template <class T>
Bytes mat_file(std::uint32_t array_class, std::uint32_t type, const std::vector<std::int32_t>& extents,
               const std::vector<T>& values) {
  Bytes matrix;
  element<std::uint32_t>(matrix, 6, {array_class, 0});
  element(matrix, 5, extents);
  element<char>(matrix, 1, {'x'});
  element(matrix, type, values);
  Bytes file(124);
  append(file, test::bytes_of(std::string("\0\1IM", 4)));
  element(file, 14, matrix);
  return file;
}

}  // namespace

TEST_CASE("a MATLAB array comes with its axes reversed") {
  for (const std::string& path : {kCompressed, kPlain}) {
    CAPTURE(path);
    const rvm::Tensor<double> joints = read_mat_array(path, "pos_img");
    REQUIRE(joints.shape() == rvm::Shape{path == kPlain ? 5U : 6U, 15, 2});
    // How tests/data/evaluation/make.py moves them; MATLAB counts from 1.
    CHECK(joints(0, 14, 0) == -4);
    CHECK(joints(0, 14, 1) == 31);
    CHECK(joints(3, 14, 1) == 31 - 3 * 4);
    CHECK(joints(2, 3, 0) == Approx(joints(0, 3, 0) + 2 * 4));
    CHECK(joints(2, 3, 1) == joints(0, 3, 1));
    CHECK(joints(0, 3, 0) != joints(0, 4, 0));
    CHECK(read_mat_array(path, "scale").shape() == rvm::Shape{joints.shape()[0], 1});
  }
}

TEST_CASE("a MATLAB array may hold any real numbers") {
  const test::TempDir dir;
  const auto reads = [&](const Bytes& file) {
    test::write_file(dir / "x.mat", file);
    const rvm::Tensor<double> x = read_mat_array(dir / "x.mat", "x");
    CHECK(x.shape() == rvm::Shape{3, 2});
    CHECK(x(0, 0) == 1);
    CHECK(x(0, 1) == 2);
    CHECK(x(2, 1) == 100);
  };
  reads(mat_file<double>(6, 9, {2, 3}, {1, 2, 3, 4, 5, 100}));
  reads(mat_file<float>(7, 7, {2, 3}, {1, 2, 3, 4, 5, 100}));
  reads(mat_file<std::int16_t>(10, 3, {2, 3}, {1, 2, 3, 4, 5, 100}));
  reads(mat_file<std::uint8_t>(9, 2, {2, 3}, {1, 2, 3, 4, 5, 100}));
  reads(mat_file<std::uint8_t>(6, 2, {2, 3}, {1, 2, 3, 4, 5, 100}));  // doubles that fit bytes are stored as bytes

  test::write_file(dir / "text.mat", mat_file<std::uint16_t>(4, 4, {1, 2}, {'a', 'b'}));
  CHECK_THROWS_WITH(read_mat_array(dir / "text.mat", "x"), ContainsSubstring("text.mat: x holds no real numbers"));
}

TEST_CASE("what is not in a MATLAB file is named") {
  const test::TempDir dir;
  CHECK_THROWS_WITH(read_mat_array(kPlain, "pos_world"), ContainsSubstring("joint_positions.mat: no array pos_world"));
  CHECK_THROWS_WITH(read_mat_array(dir / "none.mat", "x"), ContainsSubstring("none.mat: cannot open: No such file"));
  test::write_file(dir / "empty.mat", {});
  CHECK_THROWS_WITH(read_mat_array(dir / "empty.mat", "x"), ContainsSubstring("empty.mat: not a MATLAB file"));
  test::write_file(dir / "text.mat", test::bytes_of(std::string(1000, 'a')));
  CHECK_THROWS_AS(read_mat_array(dir / "text.mat", "x"), rvm::IoError);
  test::write_file(dir / "claims.mat", mat_file<double>(6, 9, {100000, 100000}, {1, 2, 3}));
  CHECK_THROWS_WITH(read_mat_array(dir / "claims.mat", "x"), ContainsSubstring("claims more numbers"));
}

TEST_CASE("a MATLAB file that is cut off is noticed, and damage of a compressed one") {
  const test::TempDir dir;
  const auto check = [&](const Bytes& bytes, const rvm::Tensor<double>& good) {
    std::filesystem::remove(dir / "bad.mat");
    test::write_file(dir / "bad.mat", bytes);
    try {
      const rvm::Tensor<double> read = read_mat_array(dir / "bad.mat", "pos_img");
      CHECK((read.shape() == good.shape() && std::equal(read.begin(), read.end(), good.begin())));
      return false;
    } catch (const rvm::IoError&) {
      return true;
    }
  };
  for (const std::string& path : {kCompressed, kPlain}) {
    const rvm::Tensor<double> good = read_mat_array(path, "pos_img");
    const Bytes bytes = test::read_file(path);
    for (std::size_t size = 0; size < bytes.size(); size += 7) {
      CAPTURE(path, size);
      check({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, good);
    }
    CHECK(check({bytes.begin(), bytes.end() - 1}, good));
  }
  const rvm::Tensor<double> good = read_mat_array(kCompressed, "pos_img");
  const Bytes bytes = test::read_file(kCompressed);
  std::size_t noticed = 0;
  for (std::size_t i = 128; i < bytes.size(); ++i) {
    CAPTURE(i);
    Bytes flipped = bytes;
    flipped[i] ^= std::byte{0x10};
    noticed += check(flipped, good) ? 1 : 0;
  }
  CHECK(noticed > (bytes.size() - 128) * 9 / 10);
}
