#include <rvm/core/detail/float_environment.hpp>

#include <cfenv>
#include <cstddef>
#include <limits>
#include <vector>

#include <rvm/core/thread_team.hpp>

#include "support/catch.hpp"

namespace {

// Through memory, so that the compiler computes nothing itself.
struct Sums {
  float denormal;    // half the least normal number
  float from_small;  // the least denormal number, times a large one
  float third;       // 1 / 3, which rounds down to nearest
  float infinite;    // 1 / 0
};

Sums compute() noexcept {
  volatile float least = std::numeric_limits<float>::min();
  volatile float denormal = std::numeric_limits<float>::denorm_min();
  volatile float one = 1;
  volatile float three = 3;
  volatile float zero = 0;
  return {least * 0.5F, denormal * 1e30F, one / three, one / zero};
}

bool ours(const Sums& sums) {
  return sums.denormal == 0 && sums.from_small == 0 && sums.third == 1.0F / 3.0F &&
         sums.infinite == std::numeric_limits<float>::infinity();
}

}  // namespace

#if defined(__x86_64__) || defined(__aarch64__)
TEST_CASE("the library's float environment ends with its scope") {
  CHECK_FALSE(ours(compute()));
  {
    const rvm::detail::FloatEnvironment environment;
    const Sums sums = compute();
    CHECK(ours(sums));
  }
  CHECK(compute().denormal > 0);
  CHECK(compute().from_small > 0);
  const int before = std::fegetround();
  std::fesetround(FE_UPWARD);
  {
    const rvm::detail::FloatEnvironment environment(rvm::detail::Denormals::kKept);
    const Sums sums = compute();
    CHECK(sums.third == 1.0F / 3.0F);
    CHECK(sums.denormal > 0);
    CHECK(sums.from_small > 0);
  }
  CHECK(std::fegetround() == FE_UPWARD);
  std::fesetround(before);
}

TEST_CASE("every part of a team's job computes alike, whatever the caller has set") {
  const std::size_t threads = GENERATE(1U, 3U);
  rvm::ThreadTeam team(threads);
  std::fenv_t before;
  REQUIRE(std::fegetenv(&before) == 0);
  std::feclearexcept(FE_ALL_EXCEPT);
  std::fesetround(FE_UPWARD);
#if defined(__GLIBC__)
  ::feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
#endif
  const std::size_t parts = GENERATE(1U, 64U);
  std::vector<Sums> sums(parts);
  // Work enough for all threads to take part.
  team.run(parts, [&](std::size_t part, std::size_t) noexcept {
    for (int i = 0; i < 1000; ++i) sums[part] = compute();
  });
  const int rounding = std::fegetround();
  const int flags = std::fetestexcept(FE_DIVBYZERO);
#if defined(__GLIBC__)
  const bool traps_kept = ::fegetexcept() == (FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
#else
  const bool traps_kept = true;
#endif
  std::fesetenv(&before);
  CHECK(traps_kept);
  CHECK(rounding == FE_UPWARD);
  CHECK(flags == 0);
  bool all = true;
  for (const Sums& sum : sums) all = all && ours(sum);
  CHECK(all);
}
#endif
