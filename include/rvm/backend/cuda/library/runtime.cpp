// CUDA behind runtime.hpp.

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <cstdio>

#include <rvm/backend/cuda/runtime.hpp>

#include "status.hpp"

namespace rvm::detail::cuda {

const char* error_name(int error) noexcept {
  if (error >= kCublasBase) return cublasLtGetStatusName(static_cast<cublasStatus_t>(error - kCublasBase));
  return cudaGetErrorName(static_cast<cudaError_t>(error));
}

const char* error_text(int error) noexcept {
  if (error >= kCublasBase) return cublasLtGetStatusString(static_cast<cublasStatus_t>(error - kCublasBase));
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

bool is_out_of_memory(int error) noexcept {
  return error == cudaErrorMemoryAllocation || error == kCublasBase + CUBLAS_STATUS_ALLOC_FAILED;
}

bool is_lost(int error) noexcept {
  switch (error) {  // none of cuBLAS's: see what products.cpp makes of them
    case cudaErrorIllegalAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorMisalignedAddress:
    case cudaErrorHardwareStackError:
    case cudaErrorAssert:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case 721:  // cudaErrorTensorMemoryLeak, which CUDA 12 does not name
    case cudaErrorExternalDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorUnknown: return true;
    default: return false;
  }
}

int count_devices(int* count) {
  *count = 0;
  const cudaError_t error = cudaGetDeviceCount(count);
  if (error == cudaSuccess) return 0;
  *count = 0;
  cudaGetLastError();
  const bool none = error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver ||
                    error == cudaErrorSystemDriverMismatch || error == cudaErrorStubLibrary;
  return none ? 0 : error;
}

int describe_device(int device, Properties* properties) {
  cudaDeviceProp all;
  if (const cudaError_t error = cudaGetDeviceProperties(&all, device); error != cudaSuccess) return seen(error);
  std::snprintf(properties->name, sizeof properties->name, "%s", all.name);
  properties->major = all.major;
  properties->minor = all.minor;
  properties->multiprocessors = all.multiProcessorCount;
  properties->memory = all.totalGlobalMem;
  properties->cache = static_cast<std::size_t>(all.l2CacheSize);
  return 0;
}

int enter_device(int device, int* previous) {
  if (const cudaError_t error = cudaGetDevice(previous); error != cudaSuccess) return seen(error);
  return *previous == device ? 0 : seen(cudaSetDevice(device));
}
int leave_device(int previous) {
  int device = previous;
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) return seen(error);
  return device == previous ? 0 : seen(cudaSetDevice(previous));
}

int allocate(void** memory, std::size_t bytes) {
  return seen(cudaMalloc(memory, bytes));
}
int release(void* memory) {
  return seen(cudaFree(memory));
}
int allocate_pinned(void** memory, std::size_t bytes) {
  return seen(cudaHostAlloc(memory, bytes, cudaHostAllocDefault));
}
int release_pinned(void* memory) {
  return seen(cudaFreeHost(memory));
}

int make_queue(Queue* queue, bool first) {
  int least = 0;
  int greatest = 0;
  RVM_CUDA_TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  return seen(cudaStreamCreateWithPriority(queue, cudaStreamNonBlocking, first ? greatest : least));
}
int destroy_queue(Queue queue) {
  return seen(cudaStreamDestroy(queue));
}
int finish(Queue queue) {
  return seen(cudaStreamSynchronize(queue));
}
int make_event(Event* event, bool timed) {
  return seen(cudaEventCreateWithFlags(event, timed ? cudaEventDefault : cudaEventDisableTiming));
}
int destroy_event(Event event) {
  return seen(cudaEventDestroy(event));
}
int record(Event event, Queue queue) {
  return seen(cudaEventRecord(event, queue));
}
int wait_for(Queue queue, Event event) {
  return seen(cudaStreamWaitEvent(queue, event, 0));
}
int finish(Event event) {
  return seen(cudaEventSynchronize(event));
}
int elapsed(float* milliseconds, Event first, Event last) {
  return seen(cudaEventElapsedTime(milliseconds, first, last));
}

int copy_to_device(Queue queue, void* to, const void* from, std::size_t bytes) {
  return bytes == 0 ? 0 : seen(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, queue));
}
int copy_to_host(Queue queue, void* to, const void* from, std::size_t bytes) {
  return bytes == 0 ? 0 : seen(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, queue));
}
int copy_on_device(Queue queue, void* to, const void* from, std::size_t bytes) {
  return bytes == 0 ? 0 : seen(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue));
}
int zero(Queue queue, void* to, std::size_t bytes) {
  return bytes == 0 ? 0 : seen(cudaMemsetAsync(to, 0, bytes, queue));
}

int begin_capture(Queue queue) {
  return seen(cudaStreamBeginCapture(queue, cudaStreamCaptureModeThreadLocal));
}

int end_capture(Queue queue, Graph* graph) {
  cudaGraph_t captured = nullptr;
  cudaError_t error = cudaStreamEndCapture(queue, &captured);
  if (error == cudaSuccess && graph != nullptr) {
    error = cudaGraphInstantiate(graph, captured, cudaGraphInstantiateFlagUseNodePriority);
    if (error == cudaSuccess) {
      error = cudaGraphUpload(*graph, queue);
      if (error != cudaSuccess) cudaGraphExecDestroy(*graph);
    }
  }
  if (captured != nullptr) cudaGraphDestroy(captured);
  return seen(error);
}
int launch(Queue queue, Graph graph) {
  return seen(cudaGraphLaunch(graph, queue));
}
int destroy_graph(Graph graph) {
  return seen(cudaGraphExecDestroy(graph));
}

}  // namespace rvm::detail::cuda
