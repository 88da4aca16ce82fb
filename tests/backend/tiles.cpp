// Matrix tiles: their emulation against the instructions' definition, and bfloat16 attention with and without them.

#include <rvm/backend/cpu/tiles.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/emulated_tiles.hpp"
#include "support/levels.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"

namespace {

using rvm::bfloat16;
using rvm::detail::TileConfig;
using test::EmulatedTiles;

// The first of the sums that one product of tiles of one row and one column makes.
float product(float sum, const std::vector<float>& left, const std::vector<float>& right) {
  std::array<bfloat16, 32> a{};
  std::array<bfloat16, 16 * 32> b{};
  for (std::size_t i = 0; i < left.size(); ++i) {
    a[i] = bfloat16(left[i]);
    b[i / 2 * 32 + i % 2] = bfloat16(right[i]);
  }
  std::array<float, 16> sums{sum};
  EmulatedTiles::configure(TileConfig(1));
  EmulatedTiles::load<0>(reinterpret_cast<const char*>(sums.data()), 64);
  EmulatedTiles::load<4>(reinterpret_cast<const char*>(a.data()), 64);
  EmulatedTiles::load<6>(reinterpret_cast<const char*>(b.data()), 64);
  EmulatedTiles::add_pairs<0, 4, 6>();
  EmulatedTiles::store<0>(reinterpret_cast<char*>(sums.data()), 64);
  EmulatedTiles::release();
  return sums[0];
}

}  // namespace

TEST_CASE("tiles have the shapes of their product") {
  const TileConfig config(19);
  CHECK(config.palette == 1);
  const std::array<int, 8> rows{16, 16, 3, 3, 16, 3, 16, 16};
  for (std::size_t t = 0; t < 16; ++t) {
    CHECK(config.rows[t] == (t < 8 ? rows[t] : 0));
    CHECK(config.row_bytes[t] == (t < 8 ? 64 : 0));
  }
  const TileConfig one(1);
  CHECK(one.rows[rvm::detail::kSumTile] == 1);
  CHECK(one.rows[rvm::detail::kSumTile + 2] == 0);
  CHECK(one.row_bytes[rvm::detail::kLeftTile + 1] == 0);
}

TEST_CASE("emulated products round as the processor's") {
  // Even and odd products are summed apart: 2^24 swallows the 1 beside it in one sum, not the one in the other.
  CHECK(product(0, {0x1p24F, 0, 1, 1}, {1, 0, 1, 1}) == 0x1p24F);      // (2^24 + 1) + 1
  CHECK(product(0, {0x1p24F, 1, 0, 1}, {1, 1, 0, 1}) == 0x1p24F + 2);  // 2^24 + (1 + 1)
  // What was there comes last, and the products' sum is rounded before it does.
  CHECK(product(-0x1p24F, {0x1p24F, 1}, {1, 1}) == 0);
  // Denormal numbers are zero.
  CHECK(product(0, {0x1p-127F}, {0x1p20F}) == 0);
  CHECK(product(0, {0x1p-80F}, {0x1p-50F}) == 0);
  CHECK(product(0x1p-130F, {0}, {0}) == 0);
  CHECK(std::isnan(product(0, {std::numeric_limits<float>::infinity()}, {0})));
  CHECK(EmulatedTiles::faults() == 0);
}

TEST_CASE("emulated tiles find mistakes") {
  const auto faults_of = [](const auto& body) {
    const int before = EmulatedTiles::faults();
    body();
    const int found = EmulatedTiles::faults() - before;
    EmulatedTiles::faults() = before;
    return found;
  };
  CHECK(faults_of([] { EmulatedTiles::zero<0>(); }) == 1);  // no configuration
  CHECK(faults_of([] { EmulatedTiles::release(); }) == 1);
  CHECK(faults_of([] {
          EmulatedTiles::configure(TileConfig(1));
          EmulatedTiles::zero<2>();  // a tile without rows
          EmulatedTiles::release();
        }) == 1);
  CHECK(faults_of([] {
          EmulatedTiles::configure(TileConfig(20));
          const std::array<char, 64> bytes{};
          EmulatedTiles::load<0>(bytes.data(), 0);  // rows over each other
          EmulatedTiles::add_pairs<0, 5, 6>();      // 16 rows of sums, 4 of the left operand
          EmulatedTiles::release();
        }) == 2);
  CHECK(faults_of([] {
          TileConfig config(1);
          config.rows[3] = 17;
          EmulatedTiles::configure(config);
          EmulatedTiles::release();
        }) == 1);
  CHECK(EmulatedTiles::in_use() == 0);
}

TEST_CASE("bfloat16 attention of one head, at every number of queries and keys") {
  const test::Level level = GENERATE(from_range(test::levels()));
  const auto& kernels = *level.kernels<bfloat16>().kernels;
  test::Random random(6);
  const auto numbers = [&](std::size_t rows, std::size_t cols) {
    rvm::Tensor<bfloat16> all({rows, cols});
    for (bfloat16& v : all) v = bfloat16(random.number());
    return all;
  };
  const auto wide = [](bfloat16 v) { return static_cast<double>(static_cast<float>(v)); };
  const auto at = [&](const rvm::Tensor<bfloat16>& matrix) {
    return [&](std::size_t i, std::size_t j) { return wide(matrix(i, j)); };
  };
  for (const std::size_t head_dim : {1U, 12U, 33U, 48U, 64U, 80U}) {
    for (const std::size_t keys : {1U, 2U, 31U, 33U, 257U}) {
      for (const std::size_t queries : {1U, 7U, 16U, 17U, 33U}) {
        const auto q = numbers(queries, head_dim);
        const auto k = numbers(keys, head_dim);
        const auto v = numbers(keys, head_dim);
        // What is not written must not matter, and what lies behind must stay.
        const auto room = [](std::size_t n) {
          std::vector<float> floats(n + 1, std::numeric_limits<float>::quiet_NaN());
          floats[n] = 9;
          return floats;
        };
        auto packed_keys = room(kernels.packed_keys(keys, head_dim));
        auto packed_values = room(kernels.packed_values(keys, head_dim));
        auto scratch = room(kernels.attention_scratch(keys, head_dim));
        kernels.pack_keys({k.data(), keys, head_dim}, packed_keys.data());
        kernels.pack_values({v.data(), keys, head_dim}, packed_values.data());
        rvm::Tensor<bfloat16> out({queries, head_dim});
        kernels.attend({{q.data(), queries, head_dim},
                        packed_keys.data(),
                        packed_values.data(),
                        keys,
                        {out.data(), queries, head_dim},
                        scratch.data()});
        double worst = 0;
        for (std::size_t i = 0; i < queries; ++i) {
          const test::Doubles expected = test::attended({1, 1, head_dim, queries, keys}, i, 0, at(q), at(k), at(v));
          for (std::size_t d = 0; d < head_dim; ++d) {
            const double off = std::abs(expected[d] - wide(out(i, d)));
            worst = std::isnan(off) ? off : std::max(worst, off);
          }
        }
        CAPTURE(level.name(), head_dim, keys, queries, worst);
        CHECK(worst < 0x1p-7);
        CHECK(packed_keys.back() == 9);
        CHECK(packed_values.back() == 9);
        CHECK(scratch.back() == 9);
      }
    }
  }
  CHECK(EmulatedTiles::faults() == 0);
  CHECK(EmulatedTiles::in_use() == 0);
}
