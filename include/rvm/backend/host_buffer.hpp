#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <rvm/core/tensor.hpp>

namespace rvm {

/// Buffer of the backends that compute on the host: aligned memory, zero at birth.
template <class T>
class HostBuffer {
 public:
  HostBuffer() = default;
  /// `n` elements. The device is not needed; every backend's buffer is made this way. Throws std::bad_alloc.
  template <class Device>
  HostBuffer(const Device&, std::size_t n) : values_(Shape{n}) {}

  T* data() noexcept { return values_.data(); }
  const T* data() const noexcept { return values_.data(); }
  std::size_t size() const noexcept { return values_.size(); }

 private:
  Tensor<T> values_;
};

namespace detail {

/// A buffer that holds `values`. Throws std::bad_alloc.
template <class Device>
HostBuffer<float> upload(const Device& device, std::span<const float> values) {
  HostBuffer<float> buffer(device, values.size());
  std::copy(values.begin(), values.end(), buffer.data());
  return buffer;
}

}  // namespace detail

}  // namespace rvm
