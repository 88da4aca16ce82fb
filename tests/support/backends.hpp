#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>

#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#ifdef RVM_PROGRAM_ONEDNN
#include <rvm/backend/onednn.hpp>
#endif

#include "support/difference.hpp"

namespace test {

/// The backends that most typed tests run on: TEMPLATE_LIST_TEST_CASE("...", "", test::Backends).
using Backends = std::tuple<rvm::EigenCpu<float>, rvm::Cpu<float>, rvm::Cpu<rvm::bfloat16>>;
/// Every one: for the operations, the authors' clips and what a step allocates.
using AllBackends = std::tuple<rvm::EigenCpu<float>, rvm::Cpu<float>, rvm::Cpu<rvm::bfloat16>, rvm::Cpu<std::int8_t>
#ifdef RVM_PROGRAM_ONEDNN
                               ,
                               rvm::OneDnn<float>, rvm::OneDnn<rvm::bfloat16>, rvm::OneDnn<std::int8_t>
#endif
                               >;

/// Whether a backend computes in float throughout.
template <class B>
inline constexpr bool kExact = std::same_as<typename B::Element, float>;

/// Whether a backend multiplies bytes.
template <class B>
inline constexpr bool kBytes = false;
template <>
inline constexpr bool kBytes<rvm::Cpu<std::int8_t>> = true;
#ifdef RVM_PROGRAM_ONEDNN
template <>
inline constexpr bool kBytes<rvm::OneDnn<std::int8_t>> = true;
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
