#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <rvm/backend/cuda/error.hpp>
#include <rvm/backend/cuda/runtime.hpp>
#include <rvm/core/error.hpp>

namespace rvm::detail::cuda {

/// One device as one model uses it: its products, a queue for what is done once, and whether it has been lost. Kept
/// alive by all that lies on it. For several threads.
class Context {
 public:
  /// Throws CudaError, or ArgumentError if there is no such device or it is too old.
  Context(int device, bool measure) : device_(device) {
    int count = 0;
    check(count_devices(&count), "looking for CUDA devices");
    if (device < 0 || device >= count) {
      throw ArgumentError(count == 0 ? "there is no CUDA device, or no driver for it"
                                     : "there are CUDA devices 0 to " + std::to_string(count - 1) + ", found " +
                                           std::to_string(device));
    }
    check(describe_device(device, &properties_), "describing a device");
    if (properties_.major < 8) {
      throw ArgumentError(std::string("Cuda computes on devices of compute capability 8.0 and later, found ") +
                          properties_.name + ", " + std::to_string(properties_.major) + "." +
                          std::to_string(properties_.minor));
    }
    int previous = 0;
    check(enter_device(device, &previous), "choosing a device");
    int error = make_products(&products_, measure);
    if (error == 0) error = make_queue(&queue_, false);
    leave_device(previous);
    if (error != 0) {
      destroy_products(products_);
      check(error, "starting cuBLAS");
    }
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    int previous = 0;
    if (enter_device(device_, &previous) != 0) return;
    destroy_queue(queue_);
    destroy_products(products_);
    leave_device(previous);
  }

  int device() const noexcept { return device_; }
  const Properties& properties() const noexcept { return properties_; }
  Products& products() const noexcept { return *products_; }
  /// For packing and uploading; whoever uses it waits for it.
  Queue queue() const noexcept { return queue_; }

  /// Throws what an error is, unless it is 0: CudaBadAlloc or CudaError, which name `operation`.
  void check(int error, const char* operation) const {
    if (error == 0) return;
    if (is_out_of_memory(error)) throw CudaBadAlloc(operation, error_name(error));
    const CudaError found(error_name(error), error_text(error), operation, is_lost(error));
    if (!found.lost()) throw found;
    const std::lock_guard lock(lock_);
    if (!loss_) loss_.emplace(found);
    lost_ = true;
    throw CudaError(*loss_);
  }
  /// Throws the error that the device was lost by, if it was.
  void check_alive() const {
    if (!lost_) return;
    const std::lock_guard lock(lock_);
    throw CudaError(*loss_);
  }

 private:
  int device_;
  Properties properties_;
  Products* products_ = nullptr;
  Queue queue_ = nullptr;
  mutable std::mutex lock_;
  mutable std::optional<CudaError> loss_;
  mutable std::atomic<bool> lost_ = false;
};

/// While it lives, the calling thread's calls go to a context's device.
class OnDevice {
 public:
  /// Throws CudaError if the device has been lost.
  explicit OnDevice(const Context& context) {
    context.check_alive();
    context.check(enter_device(context.device(), &previous_), "choosing a device");
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { leave_device(previous_); }

 private:
  int previous_ = 0;
};

using ContextHandle = std::shared_ptr<const Context>;

}  // namespace rvm::detail::cuda
