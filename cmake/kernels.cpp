// The kernels of the CPU backends, compiled once for all of our own programs and tests.

#undef RVM_EXTERN_KERNELS
#include <rvm/backend/cpu/kernels.hpp>

namespace rvm::detail {

template const CpuKernels<float>& cpu_kernels(Isa) noexcept;
template const CpuKernels<bfloat16>& cpu_kernels(Isa) noexcept;
template const ProductKernels<float>& cpu_products(Isa) noexcept;
template const ProductKernels<bfloat16>& cpu_products(Isa) noexcept;
template const ProductKernels<std::int8_t>& cpu_products(Isa) noexcept;

}  // namespace rvm::detail
