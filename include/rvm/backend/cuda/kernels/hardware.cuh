#pragma once

// Part of device.cuh: its words on a GPU.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#define RVM_KERNEL __global__
#define RVM_LAUNCH_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define RVM_DEVICE __device__ __forceinline__
#define RVM_UNROLL _Pragma("unroll")

namespace rvm::detail::cuda {

RVM_DEVICE int thread_index() {
  return static_cast<int>(threadIdx.x);
}
RVM_DEVICE std::size_t block_index_x() {
  return blockIdx.x;
}
RVM_DEVICE std::size_t block_index_y() {
  return blockIdx.y;
}
RVM_DEVICE std::size_t block_index_z() {
  return blockIdx.z;
}
RVM_DEVICE unsigned char* shared_memory() {
  extern __shared__ __align__(16) unsigned char rvm_shared_bytes[];
  return rvm_shared_bytes;
}

RVM_DEVICE void sync_block() {
  __syncthreads();
}
RVM_DEVICE void sync_warp() {
  __syncwarp();
}
RVM_DEVICE float shuffle_xor(float value, int mask) {
  return __shfl_xor_sync(0xffffffffU, value, mask);
}

RVM_DEVICE unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}
RVM_DEVICE void copy_async(void* to, const void* from, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes)
               : "memory");
}
RVM_DEVICE void commit_async() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int kStillRunning>
RVM_DEVICE void wait_async() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kStillRunning) : "memory");
}

RVM_DEVICE void load_matrices(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
RVM_DEVICE void load_matrices_transposed(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

template <class E>
RVM_DEVICE void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1);
template <>
RVM_DEVICE void multiply_add<bfloat16>(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
RVM_DEVICE void multiply_add<float16>(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

RVM_DEVICE float to_float(float number) {
  return number;
}
RVM_DEVICE float to_float(bfloat16 number) {
  return __uint_as_float(static_cast<unsigned>(number.bits) << 16);
}
RVM_DEVICE float to_float(float16 number) {
  return __half2float(__ushort_as_half(number.bits));
}
RVM_DEVICE float to_float(Float8 number) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(number.bits, __NV_E4M3)));
}
RVM_DEVICE float to_float(std::uint8_t number) {
  return static_cast<float>(number);
}

template <class T>
RVM_DEVICE T from_float(float number);
template <>
RVM_DEVICE float from_float<float>(float number) {
  return number;
}
template <>
RVM_DEVICE bfloat16 from_float<bfloat16>(float number) {
  bfloat16 out;
  out.bits = __bfloat16_as_ushort(__float2bfloat16_rn(number));
  return out;
}
template <>
RVM_DEVICE float16 from_float<float16>(float number) {
  float16 out;
  out.bits = __half_as_ushort(__float2half_rn(number));
  return out;
}
template <>
RVM_DEVICE Float8 from_float<Float8>(float number) {
  Float8 out;
  out.bits = __nv_cvt_float_to_fp8(number, __NV_SATFINITE, __NV_E4M3);
  return out;
}

template <class T>
RVM_DEVICE std::uint32_t pack(float low, float high);
template <>
RVM_DEVICE std::uint32_t pack<bfloat16>(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return static_cast<std::uint32_t>(__bfloat16_as_ushort(both.x)) |
         static_cast<std::uint32_t>(__bfloat16_as_ushort(both.y)) << 16;
}
template <>
RVM_DEVICE std::uint32_t pack<float16>(float low, float high) {
  const __half2 both = __floats2half2_rn(low, high);
  return static_cast<std::uint32_t>(__half_as_ushort(both.x)) | static_cast<std::uint32_t>(__half_as_ushort(both.y))
                                                                    << 16;
}

RVM_DEVICE float exp2_approximate(float x) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}
RVM_DEVICE void raise_flag(std::uint32_t* flag) {
  atomicExch(flag, 1U);
}

/// The error, which the runtime then no longer holds against a later call.
inline int forget(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return error;
}

template <class... Parameters, class... Arguments>
int launch(void (*kernel)(Parameters...), Grid grid, int threads, std::size_t shared_bytes, CUstream_st* queue,
           Arguments... arguments) {
  constexpr std::size_t kUnasked = 48 * 1024;  // more must be asked for
  const auto* const function = reinterpret_cast<const void*>(kernel);
  if (shared_bytes > kUnasked) {
    const cudaError_t error =
        cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    if (error != cudaSuccess) return forget(error);
  }
  const auto call = [&](Parameters... parameters) {
    void* pointers[] = {&parameters...};
    return cudaLaunchKernel(
        function, dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z)),
        dim3(static_cast<unsigned>(threads)), pointers, shared_bytes, queue);
  };
  return forget(call(arguments...));
}

}  // namespace rvm::detail::cuda
