// No #pragma once: kernels.hpp includes this once for every instruction set, with
//   RVM_SIMD_NAMESPACE  the namespace it goes to
//   RVM_SIMD_BYTES      the size of a vector
//   RVM_SIMD_VNNI       defined where there are byte dot products
//   RVM_SIMD_BF16       defined where there are bfloat16 dot products
// and the compiler set to that instruction set. Nothing may be included here. Vectors are the compilers' own extension,
// so that speed does not depend on the host's level of optimisation.

namespace rvm::detail::RVM_SIMD_NAMESPACE {

// Each needs those before it.
// clang-format off
#include <rvm/backend/cpu/detail/vectors.inl.hpp>
#include <rvm/backend/cpu/detail/rows.inl.hpp>
#include <rvm/backend/cpu/detail/dots.inl.hpp>
#include <rvm/backend/cpu/detail/attention.inl.hpp>
#include <rvm/backend/cpu/detail/product.inl.hpp>
// clang-format on

template <class Element, class Dot>
inline constexpr CpuKernels<Element> kKernelsWith = {&layer_norm_row<Element>,
                                                     &layer_norm_row<float>,
                                                     &gelu_row<Element>,
                                                     &convert_row<Element>,
                                                     &add_row,
                                                     &quantize_row<Element>,
                                                     &dequantize_row,
                                                     &apply_gate_row<Element>,
                                                     &update_row,
                                                     &pack_keys<Dot, Element>,
                                                     &pack_values<Dot, Element>,
                                                     &attend<Dot, Element>,
                                                     &packed_keys_size<Dot>,
                                                     &packed_values_size<Dot>,
                                                     &scratch_size<Dot, kAttentionRows>,
                                                     kAttentionRows};
#ifdef RVM_SIMD_BF16
template <class Element>
inline constexpr const CpuKernels<Element>& kKernels =
    kKernelsWith<Element, std::conditional_t<std::same_as<Element, bfloat16>, PairDot, FloatDot<Element>>>;
#else
template <class Element>
inline constexpr const CpuKernels<Element>& kKernels = kKernelsWith<Element, FloatDot<Element>>;
#endif

}  // namespace rvm::detail::RVM_SIMD_NAMESPACE
