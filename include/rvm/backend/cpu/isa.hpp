#pragma once

#include <cstdint>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace rvm {

/// What a processor's vector unit can do, in ascending order of speed. Chosen at run time, whatever the host's compile
/// flags. Each has what those before it have, but for kAvxVnni: not every processor with AVX-512 has that.
enum class Isa : std::uint8_t {
  kPortable,    // what every processor of the family has
  kAvx2,        // AVX2 and FMA
  kAvxVnni,     // and byte dot products, without AVX-512
  kAvx512,      // AVX2, FMA and AVX-512 F, BW, DQ and VL
  kAvx512Vnni,  // and byte dot products
  kAvx512Bf16,  // and bfloat16 dot products
  kAmx,         // and products of matrix tiles, in bfloat16 and bytes
};

/// "AVX-512".
constexpr std::string_view name_of(Isa isa) noexcept {
  switch (isa) {
    case Isa::kPortable: return "portable";
    case Isa::kAvx2: return "AVX2";
    case Isa::kAvxVnni: return "AVX2 with byte dot products";
    case Isa::kAvx512: return "AVX-512";
    case Isa::kAvx512Vnni: return "AVX-512 with byte dot products";
    case Isa::kAvx512Bf16: return "AVX-512 with bfloat16";
    case Isa::kAmx: return "AMX";
  }
  return "unknown";
}

namespace detail {

/// What the processor says of itself: four registers, zero for a question that it does not know.
struct CpuId {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;

  explicit CpuId([[maybe_unused]] unsigned leaf, [[maybe_unused]] unsigned subleaf = 0) noexcept {
#if defined(__x86_64__)
    __get_cpuid_count(leaf, subleaf, &a, &b, &c, &d);
#endif
  }
};

/// Whether the processor has AMX's tiles for bfloat16 and bytes, and the operating system keeps them for each thread.
inline bool has_amx() noexcept {
#if defined(__x86_64__)
  constexpr unsigned kSystemSaves = 1U << 27;                        // OSXSAVE
  constexpr unsigned kUnits = (1U << 22) | (1U << 24) | (1U << 25);  // AMX-BF16, AMX-TILE, AMX-INT8
  constexpr unsigned kTileState = (1U << 17) | (1U << 18);           // TILECFG, TILEDATA
  if ((CpuId(1).c & kSystemSaves) == 0 || (CpuId(7).d & kUnits) != kUnits) return false;
  unsigned saved = 0;
  unsigned high = 0;
  asm volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  return (saved & kTileState) == kTileState;
#else
  return false;
#endif
}

/// Whether the processor has byte dot products for vectors of 32 bytes; the operating system must keep those.
inline bool has_avx_vnni() noexcept {
  constexpr unsigned kAvxVnni = 1U << 4;
  return (CpuId(7, 1).a & kAvxVnni) != 0;
}

}  // namespace detail

/// The most that this processor and its operating system offer, and no more than `most`. A process must ask before it
/// uses AMX: usable_isa().
inline Isa best_isa(Isa most = Isa::kAmx) noexcept {
#if defined(__x86_64__)
  if (most < Isa::kAvx2 || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kPortable;
  if (most >= Isa::kAvx512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    if (most < Isa::kAvx512Vnni || !__builtin_cpu_supports("avx512vnni")) return Isa::kAvx512;
    if (most < Isa::kAvx512Bf16 || !__builtin_cpu_supports("avx512bf16")) return Isa::kAvx512Vnni;
    return most >= Isa::kAmx && detail::has_amx() ? Isa::kAmx : Isa::kAvx512Bf16;
  }
  return most >= Isa::kAvxVnni && detail::has_avx_vnni() ? Isa::kAvxVnni : Isa::kAvx2;
#else
  static_cast<void>(most);
  return Isa::kPortable;
#endif
}

namespace detail {

/// Asks the operating system to let this process use AMX's tiles, once; whether it does. Linux refuses where a thread's
/// stack for signals is too small to save the tiles on. Safe to call from several threads.
inline bool ask_for_amx() noexcept {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  static const bool granted = has_amx() && ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

/// `wanted`, or the next lower one where it is AMX and `ask` is refused.
inline Isa usable_isa(Isa wanted, bool (*ask)() noexcept = &ask_for_amx) noexcept {
  return wanted == Isa::kAmx && !ask() ? Isa::kAvx512Bf16 : wanted;
}

}  // namespace detail

}  // namespace rvm
