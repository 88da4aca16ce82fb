#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>

namespace test {

/// The largest absolute difference between two ranges of numbers; infinite if their lengths differ or one is NaN.
template <class A, class B>
double difference(const A& a, const B& b) {
  if (static_cast<std::size_t>(std::distance(std::begin(a), std::end(a))) !=
      static_cast<std::size_t>(std::distance(std::begin(b), std::end(b)))) {
    return std::numeric_limits<double>::infinity();
  }
  double largest = 0;
  auto other = std::begin(b);
  for (const auto& value : a) {
    const double d = std::abs(static_cast<double>(value) - static_cast<double>(*other++));
    if (!(d <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, d);
  }
  return largest;
}

}  // namespace test
