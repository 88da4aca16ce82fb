// The library's kernels with stand-ins. For tiles, emulated ones: with plain vectors, and with those that they have
// beside AMX. For AVX-VNNI, AVX-512's instructions, which do the same with vectors of the same size.
#undef RVM_EXTERN_KERNELS
#include "support/levels.hpp"

#include "support/emulated_tiles.hpp"

#include <rvm/core/detail/simd_begin.hpp>
RVM_PORTABLE_BEGIN
namespace rvm::detail::emulated_portable {
using namespace portable;
#include <rvm/backend/cpu/detail/tiles.inl.hpp>
}  // namespace rvm::detail::emulated_portable
RVM_PORTABLE_END
#if defined(__x86_64__)
RVM_TARGET_BEGIN(RVM_AVX512 ",avx512vnni,avx512bf16")
namespace rvm::detail::emulated_avx512 {
using namespace avx512_bf16;
#include <rvm/backend/cpu/detail/tiles.inl.hpp>
}  // namespace rvm::detail::emulated_avx512
RVM_TARGET_END

#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32
#define RVM_SIMD_NAMESPACE avx_vnni_encoded_otherwise
#define RVM_SIMD_BYTES 32
#define RVM_SIMD_VNNI
RVM_TARGET_BEGIN(RVM_AVX512 ",avx512vnni")
#include <rvm/backend/cpu/detail/kernels.inl.hpp>
RVM_TARGET_END
#endif
#include <rvm/core/detail/simd_end.hpp>

namespace test {

rvm::detail::CpuLevel<rvm::bfloat16> kernels_with([[maybe_unused]] StandIn stand_in, rvm::Isa isa) {
  namespace d = rvm::detail;
#if defined(__x86_64__)
  if (stand_in == StandIn::kEncoding) {
    rvm::detail::CpuLevel<rvm::bfloat16> level = d::cpu_level<rvm::bfloat16>(isa);
    level.byte_products = &d::avx_vnni_encoded_otherwise::kProducts<std::int8_t>;
    return level;
  }
  if (stand_in == StandIn::kTiles) {
    return {isa, &d::emulated_avx512::kTileKernels<EmulatedTiles>,
            &d::emulated_avx512::kTileProducts<EmulatedTiles, rvm::bfloat16>,
            &d::emulated_avx512::kTileProducts<EmulatedTiles, std::int8_t>};
  }
#endif
  return {isa, &d::emulated_portable::kTileKernels<EmulatedTiles>,
          &d::emulated_portable::kTileProducts<EmulatedTiles, rvm::bfloat16>,
          &d::emulated_portable::kTileProducts<EmulatedTiles, std::int8_t>};
}

}  // namespace test
