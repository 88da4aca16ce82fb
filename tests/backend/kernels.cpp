// The CPU kernels on every instruction set that this processor has, each against plain double.

#include <rvm/backend/cpu/kernels.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/instruction_sets.hpp"
#include "support/plain_loops.hpp"
#include "support/random.hpp"

namespace {

using rvm::bfloat16;
using rvm::Isa;
using test::gelu;
using test::sigmoid;

}  // namespace

TEST_CASE("GELU is accurate over its whole range, at every length") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  std::vector<float> x;
  for (float v = -40; v <= 40; v += 0.003F) x.push_back(v);
  for (const float v : {-1e30F, -88.5F, -1e-20F, 0.0F, 1e-20F, 88.5F, 1e30F}) x.push_back(v);
  std::vector<float> y(x.size());
  kernels.gelu(x.data(), nullptr, x.size(), y.data());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = gelu(static_cast<double>(x[i]));
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) - expected) / std::max(1.0, std::abs(expected)));
  }
  CAPTURE(rvm::name_of(isa), worst);
  CHECK(worst < 3e-7);

  for (std::size_t n = 0; n < 40; ++n) {
    std::vector<float> out(n + 1, 99.0F);
    kernels.gelu(x.data(), x.data() + 100, n, out.data());
    for (std::size_t i = 0; i < n; ++i)
      CHECK(std::abs(out[i] - static_cast<float>(gelu(static_cast<double>(x[i] + x[100 + i])))) < 1e-5F);
    CHECK(out[n] == 99.0F);
  }
}

TEST_CASE("NaN stays NaN and infinity does not spread") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(20, 1.0F);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  x[4] = inf;
  std::vector<float> y(20);
  kernels.gelu(x.data(), nullptr, x.size(), y.data());
  CHECK(std::isnan(y[3]));
  CHECK(y[4] == inf);
  CHECK(std::abs(y[5] - static_cast<float>(gelu(1.0))) < 1e-6F);
  std::vector<float> state(20, 0.25F);
  std::vector<float> next(20, 0.75F);
  std::vector<float> a(20, 1000.0F);
  std::vector<float> b(20, -3000.0F);
  kernels.update(a.data(), b.data(), state.data(), 20, next.data());
  CHECK(std::all_of(next.begin(), next.end(), [](float v) { return v == 0.25F; }));
}

TEST_CASE("numbers are rounded to bfloat16 to nearest, ties to even, at every length") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<bfloat16>(isa);
  std::vector<float> x;
  test::Random random(1);
  for (int i = 0; i < 3000; ++i) x.push_back(std::bit_cast<float>(random.bits()));
  for (std::uint32_t bits = 0x3f800000; bits < 0x3f820000; bits += 0x4000) x.push_back(std::bit_cast<float>(bits));
  for (const std::size_t n : {x.size(), std::size_t{1}, std::size_t{7}, std::size_t{33}}) {
    std::vector<bfloat16> y(n + 1, bfloat16(99.0F));
    kernels.convert(x.data(), nullptr, n, y.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const bool both_nan = std::isnan(x[i]) && std::isnan(static_cast<float>(y[i]));
      const bool flushed =
          isa >= Isa::kAvx512Bf16 && std::fpclassify(x[i]) == FP_SUBNORMAL && static_cast<float>(y[i]) == 0.0F;
      wrong += !both_nan && !flushed && y[i] != bfloat16(x[i]);
    }
    CHECK(wrong == 0);
    CHECK(y[n] == bfloat16(99.0F));
  }
}

TEST_CASE("tokens become bytes and sums become numbers, at every length") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  test::Random random(4);
  for (const int steps : {255, 127}) {
    for (const float shift : {0.0F, 2.0F, -5.0F}) {
      for (std::size_t n = 1; n < 50; ++n) {
        auto x = random.numbers({n}, 3.0F);
        for (float& v : x) v += shift;
        std::vector<std::uint8_t> q(n + 1, 200);
        const rvm::detail::ByteScale scale = kernels.quantize(x.data(), n, steps, q.data());
        const float most = std::max(0.0F, *std::max_element(x.begin(), x.end()));
        const float least = std::min(0.0F, *std::min_element(x.begin(), x.end()));
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const float back = scale.scale * static_cast<float>(q[i] - scale.zero);
          wrong += std::abs(back - x(i)) > 0.501F * scale.scale || q[i] > steps;
        }
        CAPTURE(rvm::name_of(isa), steps, shift, n);
        CHECK(wrong == 0);
        CHECK(std::abs(scale.scale * static_cast<float>(steps) - (most - least)) < 1e-5F);
        CHECK(q[n] == 200);
      }
    }
  }
  const std::vector<float> zeros(20);
  std::vector<std::uint8_t> q(20, 7);
  CHECK(kernels.quantize(zeros.data(), 20, 255, q.data()).scale == 0.0F);
  CHECK(std::all_of(q.begin(), q.end(), [](std::uint8_t v) { return v == 0; }));

  for (std::size_t n = 1; n < 40; ++n) {
    std::vector<float> row(n + 1, 99.0F);
    std::vector<std::int32_t> column_sums(n);
    const auto scales = random.numbers({n});
    std::vector<float> expected(n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto sum = static_cast<std::int32_t>(random.bits()) / 256;
      column_sums[i] = static_cast<std::int32_t>(random.bits()) / 65536;
      row[i] = std::bit_cast<float>(sum);
      expected[i] = static_cast<float>(sum - 101 * column_sums[i]) * (scales(i) * 0.25F);
    }
    kernels.dequantize(row.data(), column_sums.data(), {0.25F, 101}, scales.data(), n);
    CHECK(row.back() == 99.0F);
    row.pop_back();
    CHECK(row == expected);
  }
}

TEST_CASE("layer norm of rows with a large mean, at every width") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  test::Random random(2);
  for (std::size_t n = 1; n < 70; ++n) {
    std::vector<float> x(n);
    for (float& v : x) v = 1000.0F + random.number();
    double mean = 0;
    double variance = 0;
    for (const float v : x) mean += static_cast<double>(v) / static_cast<double>(n);
    for (const float v : x)
      variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / static_cast<double>(n);
    const std::vector<float> scale(n, 2.0F);
    std::vector<float> y(n + 1, 99.0F);
    kernels.layer_norm(x.data(), n, scale.data(), nullptr, 1e-2F, y.data());
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double expected = 2 * (static_cast<double>(x[i]) - mean) / std::sqrt(variance + 1e-2);
      worst = std::max(worst, std::abs(static_cast<double>(y[i]) - expected));
    }
    CAPTURE(rvm::name_of(isa), n);
    CHECK(worst < 2e-3);  // the mean itself is rounded to 6e-5
    CHECK(y[n] == 99.0F);
  }
}

TEMPLATE_TEST_CASE("what is done to a row is a plain loop's work, at every length", "", float, bfloat16) {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<TestType>(isa);
  test::Random random(6);
  for (std::size_t n = 1; n < 150; ++n) {
    CAPTURE(rvm::name_of(isa), n);
    const auto a = random.numbers({n}, 2.0F);
    const auto b = random.numbers({n}, 2.0F);
    const auto c = random.numbers({n}, 2.0F);
    const auto before = random.numbers({n + 1}, 2.0F);
    const auto at = [](const auto& numbers, std::size_t i) { return static_cast<double>(numbers.data()[i]); };
    // How far `found` is off, in its own roundings; the number behind the row must have stayed.
    const auto off = [&](const auto& found, double guard, const auto& expected) {
      constexpr double kRounding = sizeof(found[0]) == sizeof(float) ? 4e-6 : 0x1p-8;
      double worst = static_cast<double>(static_cast<float>(found[n])) == guard ? 0 : 1e9;
      for (std::size_t i = 0; i < n; ++i) {
        const double e = expected(i);
        const double d = std::abs(static_cast<double>(static_cast<float>(found[i])) - e);
        worst = std::max(worst, d / (kRounding * (std::abs(e) + 0.1)));
      }
      return worst;
    };
    std::vector<TestType> y(n + 1, TestType(99.0F));
    const auto wide = [&] { return std::vector<float>(before.data(), before.data() + n + 1); };
    const double guard = at(before, n);

    const test::Doubles standard = test::normed({a.begin(), a.end()}, 0.1);
    const auto normed = [&](std::size_t i) { return standard[i] * at(b, i); };
    const auto shifted = [&](std::size_t i) { return normed(i) + at(c, i); };
    kernels.layer_norm(a.data(), n, b.data(), nullptr, 0.1F, y.data());
    CHECK(off(y, 99, normed) < 1);
    kernels.layer_norm(a.data(), n, b.data(), c.data(), 0.1F, y.data());
    CHECK(off(y, 99, shifted) < 1);
    std::vector<float> z = wide();
    kernels.layer_norm_wide(a.data(), n, b.data(), nullptr, 0.1F, z.data());
    CHECK(off(z, guard, normed) < 1);
    kernels.layer_norm_wide(a.data(), n, b.data(), c.data(), 0.1F, z.data());
    CHECK(off(z, guard, shifted) < 1);

    kernels.gelu(a.data(), nullptr, n, y.data());
    CHECK(off(y, 99, [&](std::size_t i) { return gelu(at(a, i)); }) < 1);
    kernels.gelu(a.data(), b.data(), n, y.data());
    CHECK(off(y, 99, [&](std::size_t i) { return gelu(at(a, i) + at(b, i)); }) < 1);
    kernels.convert(a.data(), b.data(), n, y.data());
    CHECK(off(y, 99, [&](std::size_t i) { return at(a, i) + at(b, i); }) < 1);

    z = wide();
    kernels.add(a.data(), nullptr, n, z.data());
    CHECK(off(z, guard, [&](std::size_t i) { return at(before, i) + at(a, i); }) < 1);
    z = wide();
    kernels.add(a.data(), b.data(), n, z.data());
    CHECK(off(z, guard, [&](std::size_t i) { return at(before, i) + at(a, i) + at(b, i); }) < 1);

    kernels.apply_gate(a.data(), b.data(), c.data(), n, y.data());
    CHECK(off(y, 99, [&](std::size_t i) { return sigmoid(at(a, i) + at(b, i)) * at(c, i); }) < 1);
    z = wide();
    kernels.update(a.data(), b.data(), c.data(), n, z.data());
    CHECK(off(z, guard,
              [&](std::size_t i) { return at(c, i) + sigmoid(at(a, i) + at(b, i)) * (at(before, i) - at(c, i)); }) < 1);
  }
}

TEST_CASE("bfloat16 tokens become the bytes that the same numbers in float become") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  test::Random random(7);
  for (std::size_t n = 1; n < 80; ++n) {
    const auto numbers = random.numbers({n}, 3.0F);
    std::vector<bfloat16> tokens;
    std::vector<float> widened;
    for (const float number : numbers) {
      tokens.emplace_back(number);
      widened.push_back(static_cast<float>(tokens.back()));
    }
    std::vector<std::uint8_t> found(n + 1, 200);
    std::vector<std::uint8_t> expected(n + 1, 200);
    const auto scale = rvm::detail::cpu_kernels<bfloat16>(isa).quantize(tokens.data(), n, 255, found.data());
    const auto same = rvm::detail::cpu_kernels<float>(isa).quantize(widened.data(), n, 255, expected.data());
    CAPTURE(rvm::name_of(isa), n);
    CHECK(found == expected);
    CHECK(scale.scale == same.scale);
    CHECK(scale.zero == same.zero);
  }
}

TEST_CASE("attention of one head, at every number of queries and keys") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  test::Random random(3);
  const auto at = [](const rvm::Tensor<float>& matrix) {
    return [&matrix](std::size_t i, std::size_t j) { return static_cast<double>(matrix(i, j)); };
  };
  for (const std::size_t head_dim : {1U, 12U, 48U, 80U, 300U}) {
    for (const std::size_t keys : {1U, 2U, 15U, 16U, 17U, 70U}) {
      for (const std::size_t queries : {1U, 5U, 6U, 7U, 13U}) {
        const auto q = random.numbers({queries, head_dim});
        const auto k = random.numbers({keys, head_dim});
        const auto v = random.numbers({keys, head_dim});
        std::vector<float> packed_keys(kernels.packed_keys(keys, head_dim));
        std::vector<float> packed_values(kernels.packed_values(keys, head_dim));
        std::vector<float> scratch(kernels.attention_scratch(keys, head_dim), std::numeric_limits<float>::quiet_NaN());
        kernels.pack_keys({k.data(), keys, head_dim}, packed_keys.data());
        kernels.pack_values({v.data(), keys, head_dim}, packed_values.data());
        rvm::Tensor<float> out({queries, head_dim});
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
            worst = std::max(worst, std::abs(expected[d] - static_cast<double>(out(i, d))));
          }
        }
        CAPTURE(rvm::name_of(isa), head_dim, keys, queries, worst);
        CHECK(worst < 1e-5);
      }
    }
  }
}

TEST_CASE("of keys whose scores are all far below zero the nearest still has the weight") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  const std::vector<float> query(8, 10.0F);
  std::vector<float> keys(16, -10.0F);
  std::fill_n(keys.begin() + 8, 8, -20.0F);
  std::vector<float> values(16);
  std::iota(values.begin(), values.end(), 1.0F);
  std::vector<float> packed_keys(kernels.packed_keys(2, 8));
  std::vector<float> packed_values(kernels.packed_values(2, 8));
  std::vector<float> scratch(kernels.attention_scratch(2, 8));
  kernels.pack_keys({keys.data(), 2, 8}, packed_keys.data());
  kernels.pack_values({values.data(), 2, 8}, packed_values.data());
  std::vector<float> out(8);
  kernels.attend(
      {{query.data(), 1, 8}, packed_keys.data(), packed_values.data(), 2, {out.data(), 1, 8}, scratch.data()});
  values.resize(8);
  CAPTURE(rvm::name_of(isa));
  CHECK(out == values);
}

TEST_CASE("any NaN stays one, and a row of bytes that holds one, or an infinity, says so") {
  const Isa isa = GENERATE(from_range(test::instruction_sets()));
  const auto& kernels = rvm::detail::cpu_kernels<float>(isa);
  CAPTURE(rvm::name_of(isa));
  for (const std::uint32_t bits : {0x7fc00000U, 0xffc00000U, 0x7fc00001U, 0x7fc00155U, 0x7fffffffU, 0xffffffffU}) {
    CAPTURE(bits);
    const std::vector<float> nan(20, std::bit_cast<float>(bits));
    const std::vector<float> ones(20, 1.0F);
    std::vector<float> y(20);
    std::vector<bfloat16> stored(20);
    rvm::detail::cpu_kernels<bfloat16>(isa).convert(nan.data(), nullptr, 20, stored.data());
    CHECK(std::all_of(stored.begin(), stored.end(), [](bfloat16 v) { return std::isnan(static_cast<float>(v)); }));
    kernels.gelu(nan.data(), nullptr, 20, y.data());
    CHECK(std::all_of(y.begin(), y.end(), [](float v) { return std::isnan(v); }));
    kernels.apply_gate(nan.data(), ones.data(), ones.data(), 20, y.data());
    CHECK(std::all_of(y.begin(), y.end(), [](float v) { return std::isnan(v); }));
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity}) {
    for (std::size_t n = 1; n < 70; n += 3) {
      for (std::size_t place = 0; place < n; place += 5) {
        std::vector<float> x(n, 1.0F);
        x[place] = bad;
        std::vector<std::uint8_t> q(n + 1, 200);
        const auto scale = kernels.quantize(x.data(), n, 255, q.data());
        CAPTURE(bad, n, place);
        CHECK(std::isnan(scale.scale));
        CHECK(scale.zero == 0);
        CHECK(q[n] == 200);
      }
    }
  }
  for (const float tiny : {1e-37F, -1e-37F, 1e-44F}) {
    const std::vector<float> x(20, tiny);
    std::vector<std::uint8_t> q(20, 200);
    const auto scale = kernels.quantize(x.data(), 20, 255, q.data());
    CAPTURE(tiny);
    for (const std::uint8_t byte : q) CHECK(std::abs(scale.scale * static_cast<float>(byte - scale.zero)) < 1e-36F);
  }
}
