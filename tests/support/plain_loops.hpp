#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <rvm/backend/concept.hpp>

/// A backend's operations in double and plain loops, which tests compare with. A matrix is whatever gives a number for
/// a row and a column.
namespace test {

using Doubles = std::vector<double>;

inline double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// The tanh approximation.
inline double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

/// The row, less its mean, over its standard deviation.
inline Doubles normed(Doubles row, double epsilon) {
  const auto n = static_cast<double>(row.size());
  double mean = 0;
  double variance = 0;
  for (const double v : row) mean += v / n;
  for (const double v : row) variance += (v - mean) * (v - mean) / n;
  for (double& v : row) v = (v - mean) / std::sqrt(variance + epsilon);
  return row;
}

/// What one head gives for the query of one row, among the keys of its group: [shape.head_dim].
template <class Q, class K, class V>
Doubles attended(const rvm::AttentionShape& shape, std::size_t row, std::size_t head, const Q& q, const K& k,
                 const V& v) {
  const std::size_t column = head * shape.head_dim;
  const std::size_t first = row / shape.queries * shape.keys;
  Doubles weights(shape.keys);
  for (std::size_t j = 0; j < shape.keys; ++j) {
    for (std::size_t d = 0; d < shape.head_dim; ++d) weights[j] += q(row, column + d) * k(first + j, column + d);
    weights[j] /= std::sqrt(static_cast<double>(shape.head_dim));
  }
  const double largest = *std::max_element(weights.begin(), weights.end());
  double total = 0;
  for (double& w : weights) total += w = std::exp(w - largest);
  Doubles sum(shape.head_dim);
  for (std::size_t j = 0; j < shape.keys; ++j) {
    for (std::size_t d = 0; d < shape.head_dim; ++d) sum[d] += weights[j] / total * v(first + j, column + d);
  }
  return sum;
}

}  // namespace test
