#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace rvm {

/// IEEE 754 binary16: a storage format. Arithmetic is done in float.
struct float16 {
  std::uint16_t bits = 0;

  float16() = default;
  /// Rounds to nearest, ties to even; overflows to infinity; keeps NaN.
  explicit float16(float value) noexcept;
  explicit operator float() const noexcept;
  friend bool operator==(float16, float16) = default;
};

/// The upper half of a binary32: a storage format. Arithmetic is done in float.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  /// Rounds to nearest, ties to even; keeps NaN.
  explicit bfloat16(float value) noexcept;
  explicit operator float() const noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
  friend bool operator==(bfloat16, bfloat16) = default;
};

static_assert(sizeof(float16) == 2 && std::is_trivially_copyable_v<float16>);
static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

inline float16::float16(float value) noexcept {
  const auto in = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint32_t>((in >> 16) & 0x8000U);
  const std::uint32_t magnitude = in & 0x7fffffffU;
  std::uint32_t out = 0;
  if (magnitude > 0x7f800000U) {
    out = 0x7e00U;  // NaN
  } else if (magnitude >= 0x477ff000U) {
    out = 0x7c00U;  // rounds to 65536 or more
  } else if (magnitude >= 0x38800000U) {
    const std::uint32_t rebased = magnitude - 0x38000000U;
    out = (rebased + 0xfffU + ((rebased >> 13) & 1U)) >> 13;
  } else {
    // Subnormal: adding 0.5 puts the rounding position of 2^-24 at the last bit of the sum's mantissa.
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;
    out = std::bit_cast<std::uint32_t>(sum) - 0x3f000000U;
  }
  bits = static_cast<std::uint16_t>(sign | out);
}

inline float16::operator float() const noexcept {
  const std::uint32_t sign = (std::uint32_t{bits} & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fU;
  const std::uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide = exponent == 0x1fU ? 0x7f800000U : (exponent + 112U) << 23;
  return std::bit_cast<float>(sign | wide | (mantissa << 13));
}

inline bfloat16::bfloat16(float value) noexcept {
  const auto in = std::bit_cast<std::uint32_t>(value);
  if ((in & 0x7fffffffU) > 0x7f800000U) {
    bits = static_cast<std::uint16_t>((in >> 16) | 0x40U);
  } else {
    bits = static_cast<std::uint16_t>((in + 0x7fffU + ((in >> 16) & 1U)) >> 16);
  }
}

/// Element type of an array in a file.
enum class DType : std::uint8_t {
  kBool,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64
};

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kUint8: return 1;
    case DType::kInt16:
    case DType::kUint16:
    case DType::kFloat16:
    case DType::kBfloat16: return 2;
    case DType::kInt32:
    case DType::kUint32:
    case DType::kFloat32: return 4;
    case DType::kInt64:
    case DType::kUint64:
    case DType::kFloat64: return 8;
  }
  return 0;
}

/// The name that numpy uses: "float32".
constexpr std::string_view name_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::kBool: return "bool";
    case DType::kInt8: return "int8";
    case DType::kUint8: return "uint8";
    case DType::kInt16: return "int16";
    case DType::kUint16: return "uint16";
    case DType::kInt32: return "int32";
    case DType::kUint32: return "uint32";
    case DType::kInt64: return "int64";
    case DType::kUint64: return "uint64";
    case DType::kFloat16: return "float16";
    case DType::kBfloat16: return "bfloat16";
    case DType::kFloat32: return "float32";
    case DType::kFloat64: return "float64";
  }
  return "unknown";
}

namespace detail {
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::kInt8;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::kUint8;
};
template <>
struct DTypeOf<std::int16_t> {
  static constexpr DType value = DType::kInt16;
};
template <>
struct DTypeOf<std::uint16_t> {
  static constexpr DType value = DType::kUint16;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<std::uint32_t> {
  static constexpr DType value = DType::kUint32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<std::uint64_t> {
  static constexpr DType value = DType::kUint64;
};
template <>
struct DTypeOf<float16> {
  static constexpr DType value = DType::kFloat16;
};
template <>
struct DTypeOf<bfloat16> {
  static constexpr DType value = DType::kBfloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
}  // namespace detail

/// The DType of a C++ element type.
template <class T>
inline constexpr DType kDTypeOf = detail::DTypeOf<std::remove_const_t<T>>::value;

}  // namespace rvm
