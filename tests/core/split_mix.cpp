#include <rvm/core/detail/split_mix.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "support/catch.hpp"

TEST_CASE("the numbers are those of SplitMix64") {
  rvm::detail::SplitMix64 random(1234567);
  CHECK(random.next() == 6457827717110365317U);
  CHECK(random.next() == 3203168211198807973U);
  CHECK(random.next() == 9817491932198370423U);
}

TEST_CASE("a number below n is one of all n, each as likely") {
  rvm::detail::SplitMix64 random(1);
  std::array<std::size_t, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts.at(random.below(7));
  for (const std::size_t count : counts) CHECK(std::abs(static_cast<double>(count) - 10'000) < 500);
  for (int i = 0; i < 100; ++i) CHECK(random.below(1) == 0);
  // Just above half of the range: nearly every other draw must be thrown away.
  constexpr std::uint64_t kHuge = (std::uint64_t{1} << 63) + 1;
  for (int i = 0; i < 100; ++i) CHECK(random.below(kHuge) < kHuge);
}
