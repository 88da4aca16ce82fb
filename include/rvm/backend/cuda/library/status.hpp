#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

namespace rvm::detail::cuda {

/// cuBLAS's errors follow after CUDA's.
inline constexpr int kCublasBase = 100000;

/// The error as a number. The runtime forgets it, so that no later call is taken to have failed of it; what it cannot
/// forget it gives again.
inline int seen(cudaError_t error) noexcept {
  if (error != cudaSuccess) cudaGetLastError();
  return error;
}
inline int seen(cublasStatus_t status) noexcept {
  return status == CUBLAS_STATUS_SUCCESS ? 0 : kCublasBase + status;
}
inline int seen(int error) noexcept {
  return error;
}

/// Ends the function that it stands in with the call's error, if there is one.
#define RVM_CUDA_TRY(call) \
  if (const int error_ = ::rvm::detail::cuda::seen(call); error_ != 0) return error_

}  // namespace rvm::detail::cuda
