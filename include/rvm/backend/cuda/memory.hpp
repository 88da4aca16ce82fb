#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <rvm/backend/cuda/context.hpp>

namespace rvm {

namespace detail::cuda {

// How one kind of memory is taken and given back.
struct DeviceMemory {
  static int take(void** memory, std::size_t bytes) { return allocate(memory, bytes); }
  static int give(void* memory) { return release(memory); }
  static constexpr const char* kName = "taking device memory";
};
struct PinnedMemory {
  static int take(void** memory, std::size_t bytes) { return allocate_pinned(memory, bytes); }
  static int give(void* memory) { return release_pinned(memory); }
  static constexpr const char* kName = "taking pinned host memory";
};

/// Owning memory of `n` Ts, not initialised. Moves; does not copy.
template <class T, class Kind>
class Memory {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Memory() = default;
  /// Throws CudaBadAlloc, or CudaError.
  Memory(ContextHandle context, std::size_t n) : context_(std::move(context)) {
    const OnDevice here(*context_);
    if (n == 0) return;
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    void* memory = nullptr;
    context_->check(Kind::take(&memory, n * sizeof(T)), Kind::kName);
    data_ = static_cast<T*>(memory);
    size_ = n;
  }
  Memory(Memory&& other) noexcept
      : context_(std::move(other.context_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Memory() {
    int previous = 0;
    if (data_ == nullptr || enter_device(context_->device(), &previous) != 0) return;
    Kind::give(data_);  // of a lost device, nobody needs to hear
    leave_device(previous);
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<T> span() noexcept { return {data_, size_}; }

 protected:
  const Context& context() const noexcept { return *context_; }

 private:
  ContextHandle context_;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace detail::cuda

/// Device memory, zero at birth: the buffer of the backend Cuda. data() is an address of the device.
template <class T>
class CudaBuffer : public detail::cuda::Memory<T, detail::cuda::DeviceMemory> {
  using Base = detail::cuda::Memory<T, detail::cuda::DeviceMemory>;

 public:
  CudaBuffer() = default;
  /// Throws CudaBadAlloc, or CudaError.
  template <class Device>
  CudaBuffer(const Device& device, std::size_t n) : CudaBuffer(device.context(), n) {}
  CudaBuffer(detail::cuda::ContextHandle handle, std::size_t n) : Base(std::move(handle), n) {
    if (n == 0) return;
    using namespace detail::cuda;
    const OnDevice here(this->context());
    this->context().check(zero(this->context().queue(), this->data(), n * sizeof(T)), "clearing device memory");
    this->context().check(finish(this->context().queue()), "clearing device memory");
  }
  /// Holds a copy of numbers of the host.
  CudaBuffer(detail::cuda::ContextHandle handle, std::span<const T> values) : Base(std::move(handle), values.size()) {
    if (values.empty()) return;
    using namespace detail::cuda;
    const OnDevice here(this->context());
    this->context().check(copy_to_device(this->context().queue(), this->data(), values.data(), values.size_bytes()),
                          "uploading weights");
    this->context().check(finish(this->context().queue()), "uploading weights");
  }
};

/// Host memory that the device copies to and from directly. Not initialised.
template <class T>
class CudaPinned : public detail::cuda::Memory<T, detail::cuda::PinnedMemory> {
 public:
  CudaPinned() = default;
  /// Throws CudaBadAlloc, or CudaError.
  template <class Device>
  CudaPinned(const Device& device, std::size_t n)
      : detail::cuda::Memory<T, detail::cuda::PinnedMemory>(device.context(), n) {}
  CudaPinned(detail::cuda::ContextHandle handle, std::size_t n)
      : detail::cuda::Memory<T, detail::cuda::PinnedMemory>(std::move(handle), n) {}
};

}  // namespace rvm
