#include <rvm/core/detail/finite.hpp>

#include <cstddef>
#include <limits>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("finite numbers are told from others") {
  using Limits = std::numeric_limits<float>;
  for (const float v : {0.0F, -0.0F, 1.0F, Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min()}) {
    CAPTURE(v);
    CHECK(rvm::detail::is_finite(v));
  }
  for (const float v : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::signaling_NaN()}) {
    CAPTURE(v);
    CHECK_FALSE(rvm::detail::is_finite(v));
  }
}

TEST_CASE("one number that is not finite is found wherever it is") {
  for (std::size_t n = 0; n < 70; ++n) {
    std::vector<float> values(n + 1, std::numeric_limits<float>::max());
    values[n] = std::numeric_limits<float>::quiet_NaN();  // behind the end
    CAPTURE(n);
    CHECK(rvm::detail::all_finite(values.data(), n));
    for (std::size_t i = 0; i < n; ++i) {
      values[i] = i % 2 == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
      CHECK_FALSE(rvm::detail::all_finite(values.data(), n));
      values[i] = -1;
    }
  }
}
