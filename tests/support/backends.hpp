#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>

#ifdef RVM_TEST_ONEDNN
#include <rvm/backend/onednn.hpp>
#else
#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#endif

#include "support/difference.hpp"
#include "support/sanitized.hpp"

namespace test {

/// The backends that typed tests run on: TEMPLATE_LIST_TEST_CASE("...", "", test::Backends); AllBackends has those too
/// that multiply bytes. The room `onednn` compiles the same tests once more, for oneDNN; with RVM_TEST_BACKENDS a build
/// names its own (mutation/run.py: the reference alone, for the compiler's sake).
#ifdef RVM_TEST_ONEDNN
using Backends = std::tuple<rvm::OneDnn<float>, rvm::OneDnn<rvm::bfloat16>>;
using AllBackends = std::tuple<rvm::OneDnn<float>, rvm::OneDnn<rvm::bfloat16>, rvm::OneDnn<std::int8_t>>;
#elif defined(RVM_TEST_BACKENDS)
using Backends = std::tuple<RVM_TEST_BACKENDS>;
using AllBackends = Backends;
#elif RVM_TEST_SANITIZED  // one each, for the compiler's sake
using Backends = std::tuple<rvm::EigenCpu<float>, rvm::Cpu<rvm::bfloat16>>;
using AllBackends = std::tuple<rvm::EigenCpu<float>, rvm::Cpu<rvm::bfloat16>, rvm::Cpu<std::int8_t>>;
#else
using Backends = std::tuple<rvm::EigenCpu<float>, rvm::Cpu<float>, rvm::Cpu<rvm::bfloat16>>;
using AllBackends = std::tuple<rvm::EigenCpu<float>, rvm::Cpu<float>, rvm::Cpu<rvm::bfloat16>, rvm::Cpu<std::int8_t>>;
#endif

/// Whether a backend computes in float throughout.
template <class B>
inline constexpr bool kExact = std::same_as<typename B::Element, float>;

/// Whether a backend multiplies bytes.
#ifdef RVM_TEST_ONEDNN
template <class B>
inline constexpr bool kBytes = std::derived_from<B, rvm::OneDnn<std::int8_t>>;
#else
template <class B>
inline constexpr bool kBytes = std::derived_from<B, rvm::Cpu<std::int8_t>>;
#endif

/// How far numbers are off: the largest absolute difference, or, where products read less than float, the root mean
/// square of the difference over that of the numbers.
template <class B, class Found, class Expected>
double error(const Found& found, const Expected& expected) {
  if constexpr (kExact<B>) return difference(found, expected);
  if (!std::isfinite(difference(found, expected))) return std::numeric_limits<double>::infinity();
  double off = 0;
  double size = 0;
  auto it = std::begin(found);
  for (const auto& value : expected) {
    const auto wanted = static_cast<double>(value);
    const double d = static_cast<double>(*it++) - wanted;
    off += d * d;
    size += wanted * wanted;
  }
  return std::sqrt(off / size);
}

/// The error that is allowed: the first limit for float, the second for bfloat16 (0.45 % for the authors' clips), 2 %
/// for bytes.
template <class B>
constexpr double limit(double exact, double reduced = 0.0045) {
  return kExact<B> ? exact : kBytes<B> ? 0.02 : reduced;
}

}  // namespace test
