#pragma once

#include <tuple>

#include <rvm/backend/eigen.hpp>

namespace test {

/// The backends that the typed tests run on: TEMPLATE_LIST_TEST_CASE("...", "", test::Backends).
using Backends = std::tuple<rvm::EigenCpu<float>>;

}  // namespace test
