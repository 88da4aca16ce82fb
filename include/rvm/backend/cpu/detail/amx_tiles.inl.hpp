// No #pragma once: part of kernels.hpp. The processor's own tiles.

// A thread's tiles. In assembly: the compilers' intrinsics take a tile's number as a literal alone.
struct AmxTiles {
  // Clears all tiles.
  RVM_INLINE static void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" ::"m"(config)); }
  RVM_INLINE static void release() { asm volatile("tilerelease" ::: "memory"); }
  template <int kTile>
  RVM_INLINE static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  // Rows `stride` bytes apart.
  template <int kTile>
  RVM_INLINE static void load(const char* p, std::size_t stride) {
    asm volatile("{tileloadd (%0,%1,1), %%tmm%c2|tileloadd %%tmm%c2, [%0+%1*1]}" ::"r"(p), "r"(stride), "i"(kTile)
                 : "memory");
  }
  template <int kTile>
  RVM_INLINE static void store(char* p, std::size_t stride) {
    asm volatile("{tilestored %%tmm%c2, (%0,%1,1)|tilestored [%0+%1*1], %%tmm%c2}" ::"r"(p), "r"(stride), "i"(kTile)
                 : "memory");
  }
  // sums += left * right: of pairs of bfloat16, and of four bytes without a sign on the left and with one on the right.
  template <int kSums, int kLeft, int kRight>
  RVM_INLINE static void add_pairs() {
    asm volatile("{tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbf16ps %%tmm%c0, %%tmm%c1, %%tmm%c2}" ::"i"(kSums),
                 "i"(kLeft), "i"(kRight));
  }
  template <int kSums, int kLeft, int kRight>
  RVM_INLINE static void add_bytes() {
    asm volatile("{tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbusd %%tmm%c0, %%tmm%c1, %%tmm%c2}" ::"i"(kSums), "i"(kLeft),
                 "i"(kRight));
  }
};
