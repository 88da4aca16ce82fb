#include <rvm/weights/array.hpp>

#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "support/catch.hpp"

namespace {

/// An array over a copy of the values, one byte off alignment.
template <class T>
rvm::WeightArray make(const rvm::Shape& shape, const std::vector<T>& values, bool fortran_order = false,
                      rvm::DType dtype = rvm::kDTypeOf<T>) {
  auto bytes = std::make_shared<std::vector<std::byte>>(1);
  rvm::detail::append_bytes(*bytes, std::as_bytes(std::span(values)));
  const auto view = std::span<const std::byte>(*bytes).subspan(1);
  return rvm::WeightArray({.file = "file",
                           .key = "key",
                           .dtype = dtype,
                           .shape = shape,
                           .fortran_order = fortran_order,
                           .bytes = view,
                           .owner = std::move(bytes),
                           .checksum = std::nullopt});
}

template <class T>
std::vector<T> values_of(const rvm::Tensor<T>& tensor) {
  return std::vector<T>(tensor.begin(), tensor.end());
}

}  // namespace

TEST_CASE("an array converts every floating-point type to float") {
  const std::vector<float> expected{0.0F, -1.5F, 65504.0F, 0x1p-14F, std::numeric_limits<float>::infinity()};
  const auto check = [&](const rvm::WeightArray& array) {
    std::vector<float> out(expected.size());
    array.copy_to(out);
    CHECK(out == expected);
  };
  std::vector<rvm::float16> halves;
  for (const float value : expected) halves.emplace_back(value);
  check(make<rvm::float16>({5}, halves));
  check(make<float>({5}, expected));
  check(make<double>({5}, {expected.begin(), expected.end()}));

  const rvm::WeightArray wide = make<rvm::bfloat16>({2, 1}, {rvm::bfloat16(-3.0F), rvm::bfloat16(0x1p100F)});
  std::vector<float> out(2);
  wide.copy_to(out);
  CHECK(out == std::vector<float>{-3.0F, 0x1p100F});
}

TEST_CASE("an array in Fortran order is read in C order") {
  // [2, 3]: columns one after another.
  const rvm::WeightArray array = make<std::int32_t>({2, 3}, {0, 3, 1, 4, 2, 5}, true);
  CHECK(values_of(array.as<std::int32_t>()) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  CHECK(values_of(make<std::int32_t>({3}, {1, 2, 3}, true).as<std::int32_t>()) == std::vector<std::int32_t>{1, 2, 3});

  const rvm::Shape shape{2, 3, 1, 4};
  std::vector<double> stored(24);
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 4; ++k) stored[i + 2 * (j + 3 * k)] = static_cast<double>(i * 12 + j * 4 + k);
    }
  }
  std::vector<float> out(24);
  make<double>(shape, stored, true).copy_to(out);
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == static_cast<float>(i));
}

TEST_CASE("an array of another type or size is refused by name") {
  const rvm::WeightArray array = make<std::int32_t>({2}, {1, 2});
  std::vector<float> out(2);
  REQUIRE_THROWS_AS(array.copy_to(out), rvm::WeightsError);
  REQUIRE_THROWS_WITH(array.copy_to(out), "file: key: expected a floating-point dtype, found int32");
  REQUIRE_THROWS_WITH(array.as<float>(), "file: key: expected float32, found int32");
  REQUIRE_THROWS_AS(make<float>({3}, {1, 2, 3}).copy_to(out), rvm::ArgumentError);
  REQUIRE_THROWS_WITH(make<float>({3}, {1.0F, 2.0F}), ContainsSubstring("expected 12 bytes for float32 of shape (3,)"));
  REQUIRE_THROWS_AS(make<float>({std::size_t{1} << 63, 8}, {}), rvm::WeightsError);
}

TEST_CASE("a stored bool is true unless it is zero") {
  const rvm::WeightArray array = make<std::uint8_t>({3}, {0, 1, 200}, false, rvm::DType::kBool);
  CHECK(values_of(array.as<bool>()) == std::vector<bool>{false, true, true});
}

TEST_CASE("an empty array and a scalar are arrays") {
  CHECK(make<float>({0, 7}, {}, true).as<float>().shape() == rvm::Shape{0, 7});
  CHECK(values_of(make<float>({}, {2.5F}).as<float>()) == std::vector<float>{2.5F});
}

TEST_CASE("an array with a wrong checksum hands out no values") {
  const std::vector<float> values{1.0F, 2.0F};
  const auto bytes = std::as_bytes(std::span(values));
  rvm::WeightArray::Parts parts{.file = "file",
                                .key = "key",
                                .dtype = rvm::DType::kFloat32,
                                .shape = {2},
                                .fortran_order = false,
                                .bytes = bytes,
                                .owner = nullptr,
                                .checksum = rvm::detail::Checksum{bytes, rvm::detail::crc32_of(bytes)}};
  CHECK(values_of(rvm::WeightArray(parts).as<float>()) == values);
  ++parts.checksum->crc32;
  std::vector<float> out(2);
  REQUIRE_THROWS_WITH(rvm::WeightArray(parts).copy_to(out), ContainsSubstring("CRC-32"));
  CHECK(out == std::vector<float>(2));
  REQUIRE_THROWS_AS(rvm::WeightArray(parts).verify(), rvm::WeightsError);
}

TEST_CASE("a caller's rounding and traps do not matter to what is read") {
  const rvm::WeightArray array = make<double>({4}, {0.1, 1e300, 1e-40, -0.1});
  std::vector<float> expected(4);
  array.copy_to(expected);
  CHECK(expected == std::vector<float>{0.1F, std::numeric_limits<float>::infinity(), 1e-40F, -0.1F});
  std::fenv_t before;
  REQUIRE(std::fegetenv(&before) == 0);
  std::fesetround(FE_UPWARD);
#if defined(__GLIBC__)
  ::feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
#endif
  std::vector<float> found(4);
  array.copy_to(found);
  std::fesetenv(&before);
  CHECK(found == expected);
}
