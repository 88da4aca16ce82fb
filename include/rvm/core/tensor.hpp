#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <rvm/core/error.hpp>

namespace rvm {

/// The extents of an array, outermost first; at most kMaxRank of them. A value, compared by value.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;

  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::size_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  /// Throws ArgumentError if there are more than kMaxRank extents.
  constexpr explicit Shape(std::span<const std::size_t> extents) : rank_(extents.size()) {
    if (rank_ > kMaxRank) throw ArgumentError("a shape has at most 8 axes");
    std::copy(extents.begin(), extents.end(), extents_.begin());
  }

  constexpr std::size_t rank() const noexcept { return rank_; }
  constexpr std::size_t operator[](std::size_t axis) const noexcept { return extents_[axis]; }
  constexpr const std::size_t* begin() const noexcept { return extents_.data(); }
  constexpr const std::size_t* end() const noexcept { return extents_.data() + rank_; }

  /// Number of elements; 1 for rank 0. Throws ArgumentError if it does not fit std::size_t.
  constexpr std::size_t elements() const {
    std::size_t n = 1;
    for (const std::size_t extent : *this) {
      if (extent != 0 && n > std::numeric_limits<std::size_t>::max() / extent) {
        throw ArgumentError("the number of elements of a shape does not fit std::size_t");
      }
      n *= extent;
    }
    return n;
  }

  friend constexpr bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::size_t, kMaxRank> extents_{};
  std::size_t rank_ = 0;
};

/// "(257, 384)", as numpy prints it.
inline std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.rank(); ++i) out += (i != 0 ? ", " : "") + std::to_string(shape[i]);
  return out + (shape.rank() == 1 ? ",)" : ")");
}

/// Non-owning, contiguous, row-major (last axis fastest) array. Cheap to copy; the memory must outlive it.
/// T may be const. Indices are not checked.
template <class T>
class TensorView {
 public:
  TensorView() = default;
  TensorView(T* data, Shape shape) : data_(data), shape_(shape), size_(shape.elements()) {}
  /// A view of mutable elements is also one of const elements.
  template <class U>
  requires std::same_as<const U, T> TensorView(const TensorView<U>& other)
      : data_(other.data()), shape_(other.shape()), size_(other.size()) {}

  T* data() const noexcept { return data_; }
  const Shape& shape() const noexcept { return shape_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* begin() const noexcept { return data_; }
  T* end() const noexcept { return data_ + size_; }
  std::span<T> span() const noexcept { return {data_, size_}; }

  /// The element at (i, j, ...): one index per axis.
  template <class... Indices>
  T& operator()(Indices... indices) const noexcept {
    std::size_t offset = 0;
    std::size_t axis = 0;
    ((offset = offset * shape_[axis++] + static_cast<std::size_t>(indices)), ...);
    return data_[offset];
  }

  /// The i-th slice along the first axis: one rank less.
  TensorView operator[](std::size_t i) const {
    const Shape rest(std::span(shape_.begin() + 1, shape_.end()));
    return {data_ + i * rest.elements(), rest};
  }

  /// The same elements under another shape. Throws ArgumentError if the number of elements differs.
  TensorView reshape(const Shape& shape) const {
    if (shape.elements() != size_) {
      throw ArgumentError("cannot reshape " + to_string(shape_) + " to " + to_string(shape));
    }
    return {data_, shape};
  }

 private:
  T* data_ = nullptr;
  Shape shape_{0};
  std::size_t size_ = 0;
};

/// Owning, contiguous, row-major array on the host, aligned to 64 bytes and zero at birth. Copies are deep.
/// Elements are trivially copyable (float, std::uint8_t, bfloat16, ...).
template <class T>
class Tensor {
  static_assert(std::is_trivially_copyable_v<T>, "a Tensor holds plain numbers");

 public:
  static constexpr std::size_t kAlignment = 64;

  Tensor() = default;
  /// Throws std::bad_alloc, or ArgumentError if the size in bytes does not fit std::size_t.
  explicit Tensor(const Shape& shape) : shape_(shape), size_(shape.elements()) {
    if (size_ > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
      throw ArgumentError("a tensor of shape " + to_string(shape) + " does not fit memory");
    }
    if (size_ == 0) return;
    data_.reset(static_cast<T*>(::operator new (size_ * sizeof(T), std::align_val_t{kAlignment})));
    std::fill_n(data_.get(), size_, T{});
  }
  Tensor(const Tensor& other) : Tensor(other.shape_) { std::copy_n(other.data(), size_, data()); }
  Tensor(Tensor&& other) noexcept
      : shape_(std::exchange(other.shape_, {0})), size_(std::exchange(other.size_, 0)), data_(std::move(other.data_)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Tensor() = default;

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  const Shape& shape() const noexcept { return shape_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size_; }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size_; }
  std::span<T> span() noexcept { return {data(), size_}; }
  std::span<const T> span() const noexcept { return {data(), size_}; }

  TensorView<T> view() noexcept { return {data(), shape_}; }
  TensorView<const T> view() const noexcept { return {data(), shape_}; }
  operator TensorView<T>() noexcept { return view(); }
  operator TensorView<const T>() const noexcept { return view(); }

  template <class... Indices>
  T& operator()(Indices... indices) noexcept {
    return view()(indices...);
  }
  template <class... Indices>
  const T& operator()(Indices... indices) const noexcept {
    return view()(indices...);
  }
  TensorView<T> operator[](std::size_t i) { return view()[i]; }
  TensorView<const T> operator[](std::size_t i) const { return view()[i]; }

 private:
  struct Free {
    void operator()(T* p) const noexcept { ::operator delete (p, std::align_val_t{kAlignment}); }
  };

  Shape shape_{0};
  std::size_t size_ = 0;
  std::unique_ptr<T[], Free> data_;
};

}  // namespace rvm
