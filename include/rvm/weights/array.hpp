#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/core/detail/text.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/detail/bytes.hpp>

namespace rvm {

namespace detail {

/// What a file says its bytes add up to.
struct Checksum {
  std::span<const std::byte> covered;
  std::uint32_t crc32 = 0;
};

/// Throws WeightsError if an array does not take that many bytes.
inline void require_size(const Shape& shape, DType dtype, std::uint64_t found, const std::string& file,
                         const std::string& key) {
  const std::optional<std::size_t> size = byte_size(shape, dtype);
  if (size == found) return;
  throw WeightsError(
      file, key,
      text(size ? std::to_string(*size) : "more", " bytes for ", name_of(dtype), " of shape ", to_string(shape)),
      std::to_string(found) + " bytes");
}

/// Writes the array's elements, `From` each and possibly unaligned, in row-major order to `to`.
template <class From, class To>
void convert_array(std::span<const std::byte> from, const Shape& shape, bool fortran_order, std::span<To> to) {
  const auto load = [from](std::size_t i) {
    From value;
    std::memcpy(&value, from.data() + i * sizeof(From), sizeof(From));
    return static_cast<To>(value);
  };
  if (!fortran_order || shape.rank() < 2) {
    if constexpr (std::same_as<From, To>) {
      if (!to.empty()) std::memcpy(to.data(), from.data(), from.size());
    } else {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = load(i);
    }
    return;
  }
  std::array<std::size_t, Shape::kMaxRank> stride{1};
  std::array<std::size_t, Shape::kMaxRank> index{};
  for (std::size_t axis = 1; axis < shape.rank(); ++axis) stride[axis] = stride[axis - 1] * shape[axis - 1];
  std::size_t offset = 0;
  for (To& value : to) {
    value = load(offset);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      offset += stride[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= stride[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace detail

/// A typed, read-only view of one array of a file. Keeps the memory behind it alive; cheap to copy; safe to read from
/// several threads.
class WeightArray {
 public:
  /// What an array is made of. `bytes` may be unaligned; `owner` keeps them alive.
  struct Parts {
    std::string file;
    std::string key;
    DType dtype = DType::kFloat32;
    Shape shape;
    bool fortran_order = false;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    std::optional<detail::Checksum> checksum;
  };

  /// Throws WeightsError if the number of bytes is not the shape's.
  explicit WeightArray(Parts parts) : parts_(std::move(parts)) {
    detail::require_size(shape(), dtype(), bytes().size(), file(), key());
  }

  const std::string& file() const noexcept { return parts_.file; }
  const std::string& key() const noexcept { return parts_.key; }
  DType dtype() const noexcept { return parts_.dtype; }
  const Shape& shape() const noexcept { return parts_.shape; }
  /// Whether the bytes run with the first axis fastest.
  bool fortran_order() const noexcept { return parts_.fortran_order; }
  /// The elements as stored: possibly unaligned, their checksum not verified.
  std::span<const std::byte> bytes() const noexcept { return parts_.bytes; }

  /// Throws WeightsError if the file has a checksum and it is not that of the bytes.
  void verify() const {
    if (!parts_.checksum) return;
    const std::uint32_t found = detail::crc32_of(parts_.checksum->covered);
    if (found != parts_.checksum->crc32) {
      fail("CRC-32 " + std::to_string(parts_.checksum->crc32), std::to_string(found) + ": the file is damaged");
    }
  }

  /// The values as float in row-major order, from any floating-point type, verified. Throws WeightsError if the type is
  /// another or the bytes are damaged, ArgumentError if `out` has not as many elements.
  void copy_to(std::span<float> out) const {
    switch (dtype()) {
      case DType::kFloat16: return convert<float16>(out);
      case DType::kBfloat16: return convert<bfloat16>(out);
      case DType::kFloat32: return convert<float>(out);
      case DType::kFloat64: return convert<double>(out);
      default: fail("a floating-point dtype", std::string(name_of(dtype())));
    }
  }

  /// The values in row-major order, verified. Throws WeightsError if the type is not T's or the bytes are damaged.
  template <class T>
  Tensor<T> as() const {
    if (dtype() != kDTypeOf<T>) fail(std::string(name_of(kDTypeOf<T>)), std::string(name_of(dtype())));
    Tensor<T> out(shape());
    // A byte of a file that is neither 0 nor 1 must not become a bool as it is.
    convert<std::conditional_t<std::same_as<T, bool>, std::uint8_t, T>>(out.span());
    return out;
  }

 private:
  template <class From, class To>
  void convert(std::span<To> out) const {
    if (out.size() != shape().elements()) {
      throw ArgumentError(file() + ": " + key() + ": room for " + std::to_string(out.size()) +
                          " elements, but the shape is " + to_string(shape()));
    }
    verify();
    const detail::FloatEnvironment environment(detail::Denormals::kKept);
    detail::convert_array<From>(bytes(), shape(), fortran_order(), out);
  }

  [[noreturn]] void fail(std::string expected, std::string found) const {
    throw WeightsError(file(), key(), std::move(expected), std::move(found));
  }

  Parts parts_;
};

}  // namespace rvm
