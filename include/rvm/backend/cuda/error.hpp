#pragma once

#include <cstdio>
#include <new>
#include <string>
#include <utility>

#include <rvm/core/error.hpp>

namespace rvm {

/// Something that a GPU, its driver or its libraries refused. what() names the operation and CUDA's own error.
class CudaError : public Error {
 public:
  /// `name` as CUDA spells it ("cudaErrorIllegalAddress"), `text` CUDA's explanation, `operation` what was asked for.
  CudaError(std::string name, const std::string& text, std::string operation, bool lost)
      : Error(operation + ": " + name + " (" + text + ")" +
              (lost ? "; the device is lost to this process. A saved state can be restored on another device or by a "
                      "new process"
                    : "")),
        name_(std::move(name)),
        operation_(std::move(operation)),
        lost_(lost) {}

  const std::string& name() const noexcept { return name_; }
  const std::string& operation() const noexcept { return operation_; }
  /// Whether the device can do nothing more: every later call on it gives this same error.
  bool lost() const noexcept { return lost_; }

 private:
  std::string name_;
  std::string operation_;
  bool lost_;
};

/// The device's memory, or memory that it shares with the host, is used up.
class CudaBadAlloc : public std::bad_alloc {
 public:
  CudaBadAlloc(const char* operation, const char* name) noexcept {
    std::snprintf(text_, sizeof text_, "%s: %s", operation, name);
  }
  const char* what() const noexcept override { return text_; }

 private:
  char text_[160] = {};
};

}  // namespace rvm
