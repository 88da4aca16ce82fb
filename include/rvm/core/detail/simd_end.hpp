// No #pragma once: the end of what simd_begin.hpp has begun.

#undef RVM_INLINE
#undef RVM_PRAGMA
#undef RVM_TARGET_BEGIN
#undef RVM_TARGET_END
#undef RVM_PORTABLE_BEGIN
#undef RVM_PORTABLE_END
#undef RVM_AVX2
#undef RVM_AVX512
