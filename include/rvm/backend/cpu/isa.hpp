#pragma once

#include <cstdint>
#include <string_view>

namespace rvm {

/// What a processor's vector unit can do, in ascending order. Chosen at run time, whatever the host's compile flags.
enum class Isa : std::uint8_t {
  kPortable,    // what every processor of the family has
  kAvx2,        // AVX2 and FMA
  kAvx512,      // AVX-512 F, BW, DQ and VL
  kAvx512Vnni,  // and byte dot products
  kAvx512Bf16,  // and bfloat16 dot products
};

/// "AVX-512".
constexpr std::string_view name_of(Isa isa) noexcept {
  switch (isa) {
    case Isa::kPortable: return "portable";
    case Isa::kAvx2: return "AVX2";
    case Isa::kAvx512: return "AVX-512";
    case Isa::kAvx512Vnni: return "AVX-512 with byte dot products";
    case Isa::kAvx512Bf16: return "AVX-512 with bfloat16";
  }
  return "unknown";
}

/// The most that this processor and its operating system offer.
inline Isa best_isa() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
    if (!__builtin_cpu_supports("avx512vnni")) return Isa::kAvx512;
    return __builtin_cpu_supports("avx512bf16") ? Isa::kAvx512Bf16 : Isa::kAvx512Vnni;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::kAvx2;
#endif
  return Isa::kPortable;
}

}  // namespace rvm
