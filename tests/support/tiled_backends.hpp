#pragma once

#include "support/backends.hpp"

#if defined(RVM_TEST_ONEDNN) || defined(RVM_TEST_CUDA) || defined(RVM_TEST_BACKENDS)
namespace test {
using TiledBackends = AllBackends;
}
#else
#include "support/levels.hpp"

namespace test {

/// AllBackends, and those that a processor with AMX would have.
#if RVM_TEST_SANITIZED
using TiledBackends = decltype(std::tuple_cat(AllBackends(), std::tuple<EmulatedAmx<rvm::bfloat16> >()));
#else
using TiledBackends =
    decltype(std::tuple_cat(AllBackends(), std::tuple<EmulatedAmx<rvm::bfloat16>, EmulatedAmx<std::int8_t> >()));
#endif

}  // namespace test
#endif
