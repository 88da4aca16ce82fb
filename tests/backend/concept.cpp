#include <rvm/backend/concept.hpp>

#include <cstddef>
#include <string_view>

#include <rvm/backend/eigen.hpp>

#include "support/catch.hpp"

namespace {

using Complete = rvm::EigenCpu<float>;

struct NoName {};

struct NoAttention : Complete {
  struct Executor : Complete::Executor {
    using Complete::Executor::Executor;
    void attention() = delete;
  };
};

struct NoGates : Complete {
  struct Executor : Complete::Executor {
    using Complete::Executor::Executor;
    void update_gate() = delete;
  };
};

struct NoPacking : Complete {
  struct Device : Complete::Device {
    using Complete::Device::Device;
    void pack() = delete;
  };
};

}  // namespace

TEST_CASE("a backend lacks exactly what it lacks") {
  STATIC_REQUIRE(rvm::Backend<Complete>);
  STATIC_REQUIRE_FALSE(rvm::Backend<NoName>);
  STATIC_REQUIRE_FALSE(rvm::BackendTypes<NoName>);

  STATIC_REQUIRE_FALSE(rvm::Backend<NoAttention>);
  STATIC_REQUIRE_FALSE(rvm::BackendAttends<NoAttention>);
  STATIC_REQUIRE(rvm::BackendTypes<NoAttention>);
  STATIC_REQUIRE(rvm::BackendMultiplies<NoAttention>);

  STATIC_REQUIRE_FALSE(rvm::Backend<NoGates>);
  STATIC_REQUIRE_FALSE(rvm::BackendGates<NoGates>);
  STATIC_REQUIRE(rvm::BackendAttends<NoGates>);

  STATIC_REQUIRE_FALSE(rvm::Backend<NoPacking>);
  STATIC_REQUIRE_FALSE(rvm::BackendPacks<NoPacking>);
}
