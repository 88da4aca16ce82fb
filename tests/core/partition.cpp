#include <rvm/core/detail/partition.hpp>

#include <cstddef>

#include "support/catch.hpp"

TEST_CASE("a partition cuts a whole into even parts, none of them too large") {
  for (const std::size_t grain : {1U, 3U, 16U}) {
    for (const std::size_t grains : {1U, 2U, 5U}) {
      const std::size_t largest = grains * grain;
      for (std::size_t total = 0; total < 200; ++total) {
        CAPTURE(grain, largest, total);
        const rvm::detail::Partition parts(total, largest, grain);
        REQUIRE(parts.count() == (total + largest - 1) / largest);
        std::size_t end = 0;
        for (std::size_t i = 0; i < parts.count(); ++i) {
          CHECK(parts.first(i) == end);
          CHECK(parts.length(i) > 0);
          CHECK(parts.length(i) <= largest);
          if (i + 1 < parts.count()) CHECK(parts.length(i) % grain == 0);
          end += parts.length(i);
        }
        CHECK(end == total);
        CHECK(parts.size * parts.count() < total + parts.count() * grain + 1);  // no more than even, but for the grain
      }
    }
  }
}
