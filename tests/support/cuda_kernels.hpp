#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include <rvm/backend/cuda/operations.hpp>
#include <rvm/core/tensor.hpp>

#include "support/catch.hpp"
#include "support/cuda_emulation/grid.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"

/// What the tests of the GPU's kernels share.
namespace test {

using rvm::detail::cuda::Float8;

/// As the format says: sign, 4 bits of exponent biased by 7, 3 of mantissa; all ones is NaN.
inline double value_of(Float8 number) {
  const int exponent = number.bits >> 3 & 15;
  const int mantissa = number.bits & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<double>::quiet_NaN();
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return number.bits & 0x80 ? -magnitude : magnitude;
}
template <class T>
double value_of(T number) {
  return static_cast<double>(static_cast<float>(number));
}

/// A rounding to T is off by at most this, relatively.
template <class T>
inline constexpr double kRounding = std::same_as<T, float>           ? 0x1p-24
                                    : std::same_as<T, rvm::float16>  ? 0x1p-11
                                    : std::same_as<T, rvm::bfloat16> ? 0x1p-8
                                                                     : 0x1p-4;

/// A matrix in the middle of a wider one, so that a stride that is ignored, or a write beside it, shows. Aligned: rows
/// begin at multiples of 16 bytes; otherwise at any element.
template <class T>
struct Strided {
  Strided(Random& random, std::size_t rows, std::size_t cols, bool aligned, float scale = 1.0F)
      : Strided(rvm::Tensor<T>({rows, aligned ? (cols + 31) / 16 * 16 + 16 : cols + 5}), cols, aligned ? 16 : 3) {
    for (T& v : wide) {
      if constexpr (std::same_as<T, Float8>) {
        v = {static_cast<std::uint8_t>(random.bits() % 0x7e)};
      } else {
        v = T(random.number(scale));
      }
    }
  }
  Strided(const Strided&) = delete;
  Strided& operator=(const Strided&) = delete;

  std::size_t rows() const { return view.rows; }
  std::size_t cols() const { return view.cols; }
  double operator()(std::size_t i, std::size_t j) const { return value_of(view.row(i)[j]); }
  Doubles values() const {
    Doubles out;
    for (std::size_t i = 0; i < rows(); ++i) {
      for (std::size_t j = 0; j < cols(); ++j) out.push_back((*this)(i, j));
    }
    return out;
  }
  rvm::MatrixView<const T> in() const { return view; }
  /// Whether nothing beside the matrix differs from `before`.
  bool margins_equal(const rvm::Tensor<T>& before) const {
    const auto left = static_cast<std::size_t>(view.data - wide.data());
    for (std::size_t i = 0; i < wide.shape()[0]; ++i) {
      for (std::size_t j = 0; j < wide.shape()[1]; ++j) {
        if ((j < left || j >= left + cols()) && !(wide(i, j) == before(i, j))) return false;
      }
    }
    return true;
  }

  rvm::Tensor<T> wide;
  rvm::MatrixView<T> view;

 private:
  Strided(rvm::Tensor<T> wide_, std::size_t cols, std::size_t left)
      : wide(std::move(wide_)), view(wide.data() + left, wide.shape()[0], cols, wide.shape()[1]) {}
};

/// Runs a launcher once with each order of threads: the outputs, as they were before, must come out the same to the
/// last bit, and nothing beside them may change.
template <class Launch, class... T>
void launch_in_every_order(Launch launch, Strided<T>&... outputs) {
  using cuda_emulation::Order;
  const auto before = std::make_tuple(outputs.wide...);
  cuda_emulation::set_order(Order::kForward);
  REQUIRE(launch() == 0);
  const auto found = std::make_tuple(outputs.wide...);
  const auto each = [&](const auto& saved, auto use) {
    std::apply([&](const auto&... tensors) { (use(tensors, outputs), ...); }, saved);
  };
  each(before, [](const auto& tensor, auto& output) { REQUIRE(output.margins_equal(tensor)); });
  for (const Order order : {Order::kReverse, Order::kShuffled}) {
    each(before,
         [](const auto& tensor, auto& output) { std::copy(tensor.begin(), tensor.end(), output.wide.begin()); });
    cuda_emulation::set_order(order);
    REQUIRE(launch() == 0);
    each(found, [](const auto& tensor, auto& output) {
      REQUIRE(std::memcmp(tensor.data(), output.wide.data(), tensor.size() * sizeof(*tensor.data())) == 0);
    });
  }
  cuda_emulation::set_order(Order::kForward);
}

/// How far numbers of type T are off, as a multiple of what rounding to T and float arithmetic on numbers of unit size
/// may do: at most 1 is fine.
template <class T>
double error(const Strided<T>& found, const Doubles& expected, double arithmetic = 2e-6) {
  const Doubles values = found.values();
  if (values.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double limit = std::abs(expected[i]) * kRounding<T> * 1.001 + arithmetic;
    const double off = std::abs(values[i] - expected[i]) / limit;
    if (!(off <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, off);
  }
  return worst;
}

/// The root mean square of the difference over that of the numbers.
template <class T>
double relative_error(const Strided<T>& found, const Doubles& expected) {
  const Doubles values = found.values();
  double off = 0;
  double size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    off += std::pow(values[i] - expected[i], 2);
    size += std::pow(expected[i], 2);
  }
  return std::sqrt(off / size);
}

/// A row of Float8 with its scale: every number must be the nearest that the scale allows.
inline bool nearest_float8(const Strided<Float8>& found, std::size_t row, double scale, const Doubles& expected) {
  for (std::size_t j = 0; j < found.cols(); ++j) {
    const double wanted = expected[row * found.cols() + j] / scale;
    const double off = std::abs(found(row, j) - std::clamp(wanted, -448.0, 448.0));
    const double step = std::ldexp(1.0, std::max(std::ilogb(std::max(std::abs(wanted), 0x1p-20)), -6) - 3);
    if (!(off <= step * 0.501 + 1e-5 * std::abs(wanted))) return false;
  }
  return true;
}

}  // namespace test
