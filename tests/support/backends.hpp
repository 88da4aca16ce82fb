#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>

#ifdef RVM_TEST_ONEDNN
#include <rvm/backend/onednn.hpp>
#elif defined(RVM_TEST_CUDA)
#include <rvm/backend/cuda.hpp>
#else
#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#endif

#include "support/difference.hpp"
#include "support/sanitized.hpp"

namespace test {

/// The backends that typed tests run on: TEMPLATE_LIST_TEST_CASE("...", "", test::Backends); AllBackends has those too
/// that multiply bytes. The rooms `onednn` and `cuda` compile the same tests once more, for oneDNN and GPUs; with
/// RVM_TEST_BACKENDS a build names its own (mutation/run.py: the reference alone, for the compiler's sake).
#ifdef RVM_TEST_ONEDNN
using Backends = std::tuple<rvm::OneDnn<float>, rvm::OneDnn<rvm::bfloat16>>;
using AllBackends = std::tuple<rvm::OneDnn<float>, rvm::OneDnn<rvm::bfloat16>, rvm::OneDnn<std::int8_t>>;
#elif defined(RVM_TEST_CUDA) && RVM_TEST_SANITIZED
using Backends = std::tuple<rvm::Cuda<float>, rvm::Cuda<rvm::bfloat16>>;
using AllBackends = Backends;
#elif defined(RVM_TEST_CUDA)
using Backends = std::tuple<rvm::Cuda<float>, rvm::Cuda<rvm::bfloat16>>;
using AllBackends = std::tuple<rvm::Cuda<float>, rvm::Cuda<rvm::bfloat16>, rvm::Cuda<rvm::float16>>;
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
#elif defined(RVM_TEST_CUDA)
template <class B>
inline constexpr bool kBytes = false;
#else
template <class B>
inline constexpr bool kBytes = std::derived_from<B, rvm::Cpu<std::int8_t>>;
#endif

/// Whether a bias is rounded to what products read.
template <class B>
inline constexpr bool kRoundsBias = std::string_view(B::kName) == "cuda";
/// By how much a GELU may be off besides its rounding.
template <class B>
inline constexpr double kGeluSlack = kRoundsBias<B>&& std::same_as<typename B::Element, rvm::bfloat16> ? 1e-3 : 0;

/// A backend's options for so many threads, where it has threads.
template <class B>
typename B::Options threads(std::size_t n) {
  typename B::Options options;
  if constexpr (requires { options.threads; }) options.threads = n;
  return options;
}

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

/// The error that is allowed: the first limit for float (2.5 times that on a GPU, which computes products of other
/// shapes in other orders), the second for bfloat16 (0.45 % for the authors' clips), 0.1 % for float16, 2 % for bytes.
template <class B>
constexpr double limit(double exact, double reduced = 0.0045) {
  if (kExact<B>) return kRoundsBias<B> ? 2.5 * exact : exact;
  if (std::same_as<typename B::Element, rvm::float16>) return 0.001;
  return kBytes<B> ? 0.02 : reduced;
}

}  // namespace test
