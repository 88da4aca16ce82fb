#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <rvm/core/dtype.hpp>

#include "support/catch.hpp"

using rvm::bfloat16;
using rvm::DType;
using rvm::float16;

namespace {

float16 half(std::uint32_t bits) {
  float16 value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

std::uint32_t half_bits(float value) {
  return float16(value).bits;
}
std::uint32_t bfloat_bits(float value) {
  return bfloat16(value).bits;
}

/// What binary16 means, from its definition.
double meaning(std::uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const double mantissa = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("every finite float16 means what IEEE 754 says and survives the way through float") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00) == 0x7c00) continue;
    const auto value = static_cast<float>(half(bits));
    wrong += value != meaning(bits) || std::signbit(value) != ((bits & 0x8000) != 0) || half_bits(value) != bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("float16 keeps infinities, and NaN as some NaN") {
  CHECK(static_cast<float>(half(0x7c00)) == kInf);
  CHECK(static_cast<float>(half(0xfc00)) == -kInf);
  CHECK(half_bits(kInf) == 0x7c00);
  CHECK(half_bits(-kInf) == 0xfc00);
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0x7c01; bits < 0x8000; ++bits) {
    const auto value = static_cast<float>(half(bits));
    wrong += !std::isnan(value) || !std::isnan(static_cast<float>(float16(value)));
  }
  CHECK(wrong == 0);
}

TEST_CASE("floats between two float16 round to the nearest, ties to the even one") {
  std::size_t wrong = 0;
  for (std::uint32_t low = 0; low < 0x7bff; ++low) {
    const std::uint32_t high = low + 1;
    const auto tie = static_cast<float>((meaning(low) + meaning(high)) / 2);
    const std::uint32_t even = (low & 1) == 0 ? low : high;
    wrong += half_bits(tie) != even || half_bits(-tie) != (even | 0x8000);
    wrong += half_bits(std::nextafter(tie, 0.0F)) != low || half_bits(std::nextafter(tie, kInf)) != high;
  }
  CHECK(wrong == 0);
}

TEST_CASE("float16 agrees with numpy at the edges") {
  const auto [value, expected] = GENERATE(table<float, std::uint32_t>({
      {0.0F, 0x0000},           {-0.0F, 0x8000},          {1.0F, 0x3c00},           {-2.0F, 0xc000},
      {0.1F, 0x2e66},           {3.14159274F, 0x4248},    {1.0F / 3.0F, 0x3555},    {65504.0F, 0x7bff},
      {65519.99F, 0x7bff},      {65520.0F, 0x7c00},       {-65520.0F, 0xfc00},      {1e30F, 0x7c00},
      {6.1035156e-05F, 0x0400}, {6.0975552e-05F, 0x03ff}, {5.9604645e-08F, 0x0001}, {2.9802322e-08F, 0x0000},
      {2.9802326e-08F, 0x0001}, {8.940697e-08F, 0x0002},  {1e-30F, 0x0000},         {-1e-40F, 0x8000},
  }));
  CAPTURE(value);
  CHECK(half_bits(value) == expected);
}

TEST_CASE("bfloat16 is the upper half of a float, rounded to nearest, ties to even") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const auto value = std::bit_cast<float>(bits << 16);
    const auto tie = std::bit_cast<float>(bits << 16 | 0x8000);
    const std::uint32_t even = bits + (bits & 1);
    wrong += bfloat_bits(value) != bits || bfloat_bits(-value) != (bits | 0x8000);
    wrong += bfloat_bits(tie) != even || bfloat_bits(-tie) != (even | 0x8000);
    wrong += bfloat_bits(std::nextafter(tie, 0.0F)) != bits || bfloat_bits(std::nextafter(tie, kInf)) != bits + 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("bfloat16 keeps infinities and NaN and overflows to infinity") {
  CHECK(bfloat_bits(kInf) == 0x7f80);
  CHECK(bfloat_bits(-kInf) == 0xff80);
  CHECK(bfloat_bits(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(std::isnan(static_cast<float>(bfloat16(kNan))));
  const auto barely_nan = std::bit_cast<float>(0x7f800001U);
  CHECK(std::isnan(static_cast<float>(bfloat16(barely_nan))));
  CHECK(static_cast<float>(bfloat16(1.5F)) == 1.5F);
}

TEST_CASE("a DType knows its size, its name in numpy and its C++ type") {
  STATIC_REQUIRE(rvm::size_of(DType::kBool) == 1);
  STATIC_REQUIRE(rvm::size_of(DType::kBfloat16) == 2);
  STATIC_REQUIRE(rvm::size_of(DType::kFloat32) == 4);
  STATIC_REQUIRE(rvm::size_of(DType::kUint64) == 8);
  CHECK(rvm::name_of(DType::kFloat16) == "float16");
  CHECK(rvm::name_of(DType::kUint8) == "uint8");
  STATIC_REQUIRE(rvm::kDTypeOf<float> == DType::kFloat32);
  STATIC_REQUIRE(rvm::kDTypeOf<const bfloat16> == DType::kBfloat16);
  STATIC_REQUIRE(rvm::kDTypeOf<std::int64_t> == DType::kInt64);
}
