#include <rvm/core/version.hpp>

#include <string>

#include "support/catch.hpp"

// Comparable by the preprocessor, as hosts do.
#if RVM_VERSION < 100 || RVM_VERSION != RVM_VERSION_MAJOR * 10000 + RVM_VERSION_MINOR * 100 + RVM_VERSION_PATCH
#error "RVM_VERSION is not one number made of its parts"
#endif

TEST_CASE("the version is the build system's, and its parts keep to their digits") {
  CHECK(std::to_string(RVM_VERSION_MAJOR) + "." + std::to_string(RVM_VERSION_MINOR) + "." +
            std::to_string(RVM_VERSION_PATCH) ==
        RVM_TEST_VERSION);
  CHECK(RVM_VERSION_MINOR < 100);
  CHECK(RVM_VERSION_PATCH < 100);
}
