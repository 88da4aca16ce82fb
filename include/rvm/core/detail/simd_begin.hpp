// No #pragma once: the macros of code that is compiled for several instruction sets, whatever the host's flags, until
// simd_end.hpp takes them away again.
//   RVM_INLINE                 a function that must vanish into its caller
//   RVM_TARGET_BEGIN("avx2")   what follows is compiled for that instruction set, until RVM_TARGET_END
//   RVM_PORTABLE_BEGIN         what follows never fuses a product with a sum, until RVM_PORTABLE_END: translation units
//                              whose flags have such instructions and those whose flags have not must agree

#define RVM_INLINE [[gnu::always_inline]] inline
#define RVM_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined(__clang__)
#define RVM_TARGET_BEGIN(isa) RVM_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define RVM_TARGET_END RVM_PRAGMA(clang attribute pop)
#define RVM_PORTABLE_BEGIN RVM_PRAGMA(float_control(push)) RVM_PRAGMA(clang fp contract(off))
#define RVM_PORTABLE_END RVM_PRAGMA(float_control(pop))
#else
#define RVM_TARGET_BEGIN(isa) RVM_PRAGMA(GCC push_options) RVM_PRAGMA(GCC target(isa))
#define RVM_TARGET_END RVM_PRAGMA(GCC pop_options)
#define RVM_PORTABLE_BEGIN RVM_PRAGMA(GCC push_options) RVM_PRAGMA(GCC optimize("fp-contract=off"))
#define RVM_PORTABLE_END RVM_PRAGMA(GCC pop_options)
#endif

#define RVM_AVX2 "avx2,fma"
#define RVM_AVX512 "avx512f,avx512bw,avx512dq,avx512vl," RVM_AVX2
