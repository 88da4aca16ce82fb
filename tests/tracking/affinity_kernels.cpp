// The kernels that compare tokens on every instruction set that this processor has, each against plain whole numbers.

#include <rvm/tracking/detail/affinity_kernels.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/instruction_sets.hpp"
#include "support/random.hpp"

namespace {

using rvm::detail::AffinityKernels;
using rvm::detail::kTileTokens;

std::vector<const AffinityKernels*> available() {
  std::vector<const AffinityKernels*> all;
  for (const rvm::Isa isa : test::instruction_sets()) {
    const AffinityKernels* const kernels = &rvm::detail::affinity_kernels(isa);
    if (all.empty() || all.back() != kernels) all.push_back(kernels);
  }
  return all;
}

}  // namespace

TEST_CASE("candidates are the keys that reach their query's least product, to the last bit") {
  const AffinityKernels& kernels = *GENERATE(from_range(available()));
  test::Random random(1);
  for (const std::size_t pairs : {1U, 2U, 7U, 192U}) {
    std::vector<std::int16_t> queries(pairs * kTileTokens * 2);
    std::vector<std::int16_t> keys(queries.size());
    for (auto* tile : {&queries, &keys}) {
      for (std::int16_t& v : *tile) v = static_cast<std::int16_t>(random.number(pairs == 1 ? 32000.0F : 2000.0F));
    }
    const auto product = [&](std::size_t q, std::size_t k) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < pairs; ++i) {
        for (std::size_t j = 0; j < 2; ++j) {
          sum += std::int64_t{queries[(i * kTileTokens + q) * 2 + j]} * keys[(i * kTileTokens + k) * 2 + j];
        }
      }
      return sum;
    };
    for (int round = 0; round < 20; ++round) {
      std::array<std::int32_t, kTileTokens> least{};
      for (std::size_t q = 0; q < kTileTokens; ++q) {  // one key's own product, or one more
        least[q] = static_cast<std::int32_t>(product(q, random.between(0, kTileTokens - 1))) + (round % 2);
      }
      least[3] = std::numeric_limits<std::int32_t>::min();
      least[12] = std::numeric_limits<std::int32_t>::max();
      std::array<std::uint16_t, kTileTokens> found{};
      const std::uint32_t any = kernels.candidates(queries.data(), keys.data(), pairs, least.data(), found.data());
      std::uint32_t expected_any = 0;
      for (std::size_t q = 0; q < kTileTokens; ++q) {
        std::uint32_t expected = 0;
        for (std::size_t k = 0; k < kTileTokens; ++k) expected |= product(q, k) >= least[q] ? 1U << k : 0U;
        CHECK(found[q] == expected);
        expected_any |= expected;
      }
      CHECK(any == expected_any);
    }
  }
}

TEST_CASE("the dot product in float, at every length, the same at every place") {
  const AffinityKernels& kernels = *GENERATE(from_range(available()));
  test::Random random(2);
  for (std::size_t n = 0; n < 150; ++n) {
    const auto a = random.numbers({n + 1});
    const auto b = random.numbers({n + 1});
    double expected = 0;
    for (std::size_t i = 0; i < n; ++i) expected += static_cast<double>(a(i)) * static_cast<double>(b(i));
    const float dot = kernels.dot(a.data(), b.data(), n);
    CAPTURE(n);
    CHECK(std::abs(static_cast<double>(dot) - expected) < 1e-5);
    std::vector<float> elsewhere(n + 3);
    std::copy_n(a.data(), n, elsewhere.begin() + 3);
    CHECK(kernels.dot(elsewhere.data() + 3, b.data(), n) == dot);
  }
}
