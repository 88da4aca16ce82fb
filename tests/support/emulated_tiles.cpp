// The library's kernels for tiles, on emulated ones: with plain vectors, and with those that they have beside AMX.
#undef RVM_EXTERN_KERNELS
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
#endif
#include <rvm/core/detail/simd_end.hpp>

namespace test {

rvm::detail::CpuLevel<rvm::bfloat16> emulated_kernels(rvm::Isa isa, Tiles tiles) {
  namespace d = rvm::detail;
#if defined(__x86_64__)
  if (tiles == Tiles::kEmulated) {
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
