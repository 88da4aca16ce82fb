#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <vector>

#include <rvm/backend/cuda/operations.hpp>

#include "support/catch.hpp"
#include "support/cuda_kernels.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"

/// What the tests of attention on the GPU share.
namespace test {

/// Queries, keys, values and room for the result, each in a wider matrix of its own whose margins are NaN.
template <class T>
struct AttentionCase {
  AttentionCase(Random& random, const rvm::AttentionShape& shape_, bool aligned, float scale = 1.5F)
      : shape(shape_),
        q(random, shape.batch * shape.queries, shape.heads * shape.head_dim, aligned, scale),
        k(random, shape.batch * shape.keys, shape.heads * shape.head_dim, aligned, scale),
        v(random, shape.batch * shape.keys, shape.heads * shape.head_dim, aligned),
        out(random, shape.batch * shape.queries, shape.heads * shape.head_dim, aligned) {
    for (Strided<T>* const matrix : {&q, &k, &v}) {
      const auto left = static_cast<std::size_t>(matrix->view.data - matrix->wide.data());
      for (std::size_t i = 0; i < matrix->rows(); ++i) {
        for (std::size_t j = 0; j < matrix->wide.shape()[1]; ++j) {
          if (j < left || j >= left + matrix->cols()) matrix->wide(i, j) = T(std::numeric_limits<float>::quiet_NaN());
        }
      }
    }
  }

  int launch() { return rvm::detail::cuda::attention<T>(nullptr, shape, q.in(), k.in(), v.in(), out.view); }
  /// By a kernel that the launcher might not choose.
  template <class Block>
  int launch_as() {
    return rvm::detail::cuda::launch_attention_block<Block>(
        nullptr, shape, rvm::detail::cuda::attention_arguments(shape, q.in(), k.in(), v.in(), out.view));
  }

  Doubles expected() const {
    Doubles result;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      for (std::size_t head = 0; head < shape.heads; ++head) {
        const Doubles found = attended(shape, row, head, q, k, v);
        result.insert(result.end(), found.begin(), found.end());
      }
    }
    return result;
  }

  /// Relative error, as a multiple of what is allowed: weights and results are rounded to T.
  double error() const {
    const double limit = std::same_as<T, float> ? 2e-6 : 1.2 * kRounding<T>;
    return relative_error(out, expected()) / limit;
  }
  /// The largest error, likewise.
  double worst_error() const { return test::error(out, expected(), std::same_as<T, float> ? 1e-5 : 2 * kRounding<T>); }

  rvm::AttentionShape shape;
  Strided<T> q;
  Strided<T> k;
  Strided<T> v;
  Strided<T> out;
};

/// Any order of threads gives the right result; by the launcher's choice of a kernel, or by a given one.
template <class T, class Block = void>
void check_attention(const rvm::AttentionShape& shape, bool aligned) {
  CAPTURE(shape.batch, shape.heads, shape.head_dim, shape.queries, shape.keys, aligned);
  Random random(shape.head_dim + shape.keys);
  AttentionCase<T> attention(random, shape, aligned);
  const auto launch = [&] {
    if constexpr (std::same_as<Block, void>) {
      return attention.launch();
    } else {
      return attention.template launch_as<Block>();
    }
  };
  launch_in_every_order(launch, attention.out);
  CHECK(attention.error() <= 1);
  CHECK(attention.worst_error() <= 1);
}

/// Scores from -1000 to 1000, rising or falling along the keys: the maximum changes with every tile, or never.
template <class T>
void check_steep_attention(bool rising) {
  Random random(1);
  AttentionCase<T> attention(random, {1, 2, 16, 5, 100}, true);
  for (std::size_t i = 0; i < 5; ++i) std::fill_n(attention.q.view.row(i), 32, T(4.0F));
  for (std::size_t j = 0; j < 100; ++j) {
    const auto place = static_cast<float>(rising ? j : 99 - j);
    std::fill_n(attention.k.view.row(j), 32, T(place * 0.25F - 12.0F));
  }
  REQUIRE(attention.launch() == 0);
  CHECK(attention.worst_error() <= 1);
}

/// What is not finite stays in its query, or in its head and group.
template <class T>
void check_not_finite_attention(float bad) {
  CAPTURE(bad);
  Random random(2);
  const rvm::AttentionShape shape{2, 2, 16, 20, 70};
  const auto check = [&](AttentionCase<T>& attention, auto is_bad) {
    REQUIRE(attention.launch() == 0);
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j < 32; ++j) {
        CAPTURE(i, j);
        CHECK(std::isfinite(attention.out(i, j)) == !is_bad(i, j));
      }
    }
  };
  AttentionCase<T> in_query(random, shape, true);
  in_query.q.view.row(3)[17] = T(bad);
  check(in_query, [](std::size_t i, std::size_t j) { return i == 3 && j >= 16; });
  AttentionCase<T> in_value(random, shape, true);
  in_value.v.view.row(70 + 69)[3] = T(bad);
  check(in_value, [](std::size_t i, std::size_t j) { return i >= 20 && j == 3; });
  AttentionCase<T> in_key(random, shape, true);
  in_key.k.view.row(69)[2] = T(std::numeric_limits<float>::quiet_NaN());
  check(in_key, [](std::size_t i, std::size_t j) { return i < 20 && j < 16; });
}

/// A key whose scores are minus infinity weighs nothing, be it the first or the last.
template <class T>
void check_infinitely_far_key(std::size_t key) {
  CAPTURE(key);
  Random random(3);
  AttentionCase<T> attention(random, {1, 1, 16, 4, 70}, true);
  for (std::size_t i = 0; i < 4; ++i) attention.q.view.row(i)[0] = T(1.0F);
  attention.k.view.row(key)[0] = T(-std::numeric_limits<float>::infinity());
  REQUIRE(attention.launch() == 0);
  CHECK(attention.worst_error() <= 1);
}

}  // namespace test
