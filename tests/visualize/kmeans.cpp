#include <rvm/visualize/kmeans.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

rvm::MatrixView<const float> rows(const rvm::Tensor<float>& t) {
  return {t.data(), t.shape()[0], t.shape()[1]};
}

/// Points around `centres` [k, D], the i-th around the (i mod k)-th, at most `spread` away along each axis.
rvm::Tensor<float> blobs(const rvm::Tensor<float>& centres, std::size_t count, float spread) {
  test::Random random(7);
  rvm::Tensor<float> x({count, centres.shape()[1]});
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t d = 0; d < x.shape()[1]; ++d) {
      x(i, d) = centres(i % centres.shape()[0], d) + random.number(spread);
    }
  }
  return x;
}

/// Lloyd's algorithm in double and plain loops; empty clusters keep their centre.
double plain_inertia(const rvm::Tensor<float>& x, const std::vector<std::size_t>& seeds) {
  const std::size_t n = x.shape()[0];
  const std::size_t width = x.shape()[1];
  std::vector<std::vector<double>> centres;
  for (const std::size_t seed : seeds) centres.emplace_back(x[seed].begin(), x[seed].end());
  std::vector<std::size_t> labels(n, seeds.size());
  for (;;) {
    double inertia = 0;
    bool moved = false;
    for (std::size_t i = 0; i < n; ++i) {
      double nearest = std::numeric_limits<double>::infinity();
      std::size_t label = 0;
      for (std::size_t c = 0; c < centres.size(); ++c) {
        double distance = 0;
        for (std::size_t d = 0; d < width; ++d) distance += std::pow(double{x(i, d)} - centres[c][d], 2);
        if (distance < nearest) {
          nearest = distance;
          label = c;
        }
      }
      inertia += nearest;
      moved = moved || labels[i] != label;
      labels[i] = label;
    }
    if (!moved) return inertia;
    for (std::size_t c = 0; c < centres.size(); ++c) {
      std::vector<double> sum(width);
      double size = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (labels[i] != c) continue;
        for (std::size_t d = 0; d < width; ++d) sum[d] += double{x(i, d)};
        ++size;
      }
      for (std::size_t d = 0; d < width && size > 0; ++d) centres[c][d] = sum[d] / size;
    }
  }
}

}  // namespace

TEST_CASE("well-separated blobs are recovered") {
  for (const std::size_t count : {2U, 5U, 70U}) {  // 70: more than one tile of centres
    rvm::Tensor<float> centres = test::Random(count).numbers({count, 24}, 10);
    for (float& v : centres) v += 1000;  // far from the origin
    const rvm::Tensor<float> x = blobs(centres, 1000, 0.5F);
    const rvm::KMeans clusters(rows(x), count, 3);
    CAPTURE(count);
    CHECK(clusters.count() == count);
    CHECK(clusters.width() == 24);
    for (std::size_t i = 0; i < 1000; ++i) {
      if (clusters.labels()[i] != clusters.labels()[i % count]) FAIL_CHECK(i << " is in another cluster");
    }
    const std::set<std::uint32_t> used(clusters.labels().begin(), clusters.labels().end());
    CHECK(used.size() == count);
    for (std::size_t c = 0; c < count; ++c) {
      const auto found = clusters.centres()[clusters.labels()[c]];
      for (std::size_t d = 0; d < 24; ++d) CHECK(std::abs(found(d) - centres(c, d)) < 0.5F);
    }
  }
}

TEST_CASE("the inertia is never above that of plain loops from the same seeds") {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const rvm::Tensor<float> x = test::Random(seed).numbers({300, 7});
    const std::size_t count = 1 + seed;
    const rvm::KMeans clusters(rows(x), count, seed);
    const double plain = plain_inertia(x, rvm::kmeans_plus_plus(rows(x), count, seed));
    CAPTURE(seed, clusters.iterations());
    CHECK(clusters.inertia() <= plain * (1 + 1e-6));
    // A fixed point: the centres are the means of their rows, which are nearest to them.
    std::vector<std::uint32_t> again(300);
    clusters.assign(rows(x), again);
    CHECK(std::equal(again.begin(), again.end(), clusters.labels().begin()));
    double inertia = 0;
    for (std::size_t c = 0; c < count; ++c) {
      std::vector<double> mean(7);
      const auto size = std::count(again.begin(), again.end(), c);
      REQUIRE(size > 0);
      for (std::size_t i = 0; i < 300; ++i) {
        for (std::size_t d = 0; d < 7 && again[i] == c; ++d) mean[d] += double{x(i, d)} / static_cast<double>(size);
      }
      for (std::size_t d = 0; d < 7; ++d) CHECK(double{clusters.centres()(c, d)} == Approx(mean[d]).margin(1e-6));
      for (std::size_t i = 0; i < 300; ++i) {
        for (std::size_t d = 0; d < 7 && again[i] == c; ++d) inertia += std::pow(double{x(i, d)} - mean[d], 2);
      }
    }
    CHECK(clusters.inertia() == Approx(inertia));
  }
}

TEST_CASE("seeds are the same for the same seed, and far apart") {
  const rvm::Tensor<float> centres = test::Random(1).numbers({8, 6}, 100);
  const rvm::Tensor<float> x = blobs(centres, 400, 0.01F);
  std::set<std::size_t> first;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<std::size_t> chosen = rvm::kmeans_plus_plus(rows(x), 8, seed);
    CHECK(chosen == rvm::kmeans_plus_plus(rows(x), 8, seed));
    std::set<std::size_t> blobs_hit;
    for (const std::size_t row : chosen) blobs_hit.insert(row % 8);
    CHECK(blobs_hit.size() == 8);
    first.insert(chosen[0]);
  }
  CHECK(first.size() > 10);
  // Small whole numbers are exact in any order of summation: the same rows on every machine.
  rvm::Tensor<float> line({50, 1});
  for (std::size_t i = 0; i < 50; ++i) line(i, 0) = static_cast<float>(i * i % 37);
  CHECK(rvm::kmeans_plus_plus(rows(line), 5, 42) == std::vector<std::size_t>{13, 3, 12, 15, 27});
}

TEST_CASE("no cluster stays empty") {
  // From seeds of which some lose all their rows in the first rounds.
  std::size_t smallest = 1000;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    test::Random random(seed);
    rvm::Tensor<float> x({40, 2});
    for (std::size_t i = 0; i < 40; ++i) {
      const float scale = i % 10 == 0 ? 50.0F : 1.0F;
      x(i, 0) = random.number(scale);
      x(i, 1) = random.number(scale);
    }
    const rvm::KMeans clusters(rows(x), 15, seed);
    for (std::uint32_t c = 0; c < 15; ++c) {
      smallest = std::min<std::size_t>(
          smallest, static_cast<std::size_t>(std::count(clusters.labels().begin(), clusters.labels().end(), c)));
    }
  }
  CHECK(smallest > 0);
}

TEST_CASE("no cluster stays empty where rounding moves rows back and forth") {
  // Rows that differ in their last digits alone.
  std::size_t smallest = 1000;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    test::Random random(seed);
    rvm::Tensor<float> x({13, 1});
    for (float& v : x) v = 1 + random.number(1e-6F);
    std::vector<float> different(x.begin(), x.end());
    std::sort(different.begin(), different.end());
    different.erase(std::unique(different.begin(), different.end()), different.end());
    if (different.size() < 8) continue;
    const rvm::KMeans clusters(rows(x), 8, seed);
    for (std::uint32_t c = 0; c < 8; ++c) {
      smallest = std::min<std::size_t>(
          smallest, static_cast<std::size_t>(std::count(clusters.labels().begin(), clusters.labels().end(), c)));
    }
  }
  CHECK(smallest > 0);
  CHECK(smallest < 1000);
}

TEST_CASE("a cluster that loses all its rows takes the farthest one from its own centre") {
  // The means of what lies around the other two seeds come so near to both rows of the seed 3 that it loses them. Then
  // 8.2 is farther from its centre than any other row.
  std::vector<float> numbers{1.0F, 3.0F, 8.2F, 5.4F};
  numbers.insert(numbers.end(), 20, 1.9F);
  numbers.insert(numbers.end(), 20, 5.7F);
  const rvm::KMeans clusters({numbers.data(), numbers.size(), 1}, std::vector<std::size_t>{0, 1, 2});
  CHECK(clusters.iterations() > 1);
  std::vector<std::uint32_t> expected{0, 0, 1, 2};
  expected.insert(expected.end(), 20, 0);
  expected.insert(expected.end(), 20, 2);
  CHECK(std::equal(expected.begin(), expected.end(), clusters.labels().begin()));
  CHECK(clusters.centres()(0, 0) == Approx((1.0 + 3.0 + 20 * 1.9) / 22));
  CHECK(clusters.centres()(1, 0) == Approx(8.2));
  CHECK(clusters.centres()(2, 0) == Approx((5.4 + 20 * 5.7) / 21));
}

TEST_CASE("given seeds are the first centres; what are none is refused") {
  const rvm::Tensor<float> x = test::Random(3).numbers({50, 4});
  const std::vector<std::size_t> seeds = rvm::kmeans_plus_plus(rows(x), 6, 9);
  const rvm::KMeans given(rows(x), seeds);
  const rvm::KMeans drawn(rows(x), 6, 9);
  CHECK(std::equal(given.centres().begin(), given.centres().end(), drawn.centres().begin()));
  CHECK(given.inertia() == drawn.inertia());

  const auto refused = [&](const rvm::Tensor<float>& data, const std::vector<std::size_t>& bad) {
    try {
      rvm::KMeans(rows(data), bad);
    } catch (const rvm::ArgumentError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  CHECK_THAT(refused(x, {}), ContainsSubstring("0 clusters"));
  CHECK_THAT(refused(x, {3, 50}), ContainsSubstring("seed 50 is none of 50 rows"));
  rvm::Tensor<float> changed = x;
  std::copy(x[7].begin(), x[7].end(), changed[20].begin());
  CHECK_THAT(refused(changed, {7, 3, 20}), ContainsSubstring("seeds 7 and 20 are equal rows"));
  changed(30, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT(refused(changed, {7, 3}), ContainsSubstring("finite"));
}

TEST_CASE("of centres that are equally near, the first counts") {
  const std::vector<float> numbers{0.0F, 2.0F};
  const rvm::KMeans clusters({numbers.data(), 2, 1}, std::vector<std::size_t>{1, 0});
  const float between = 1.0F;
  std::vector<std::uint32_t> label{7};
  clusters.assign({&between, 1, 1}, label);
  CHECK(label[0] == 0);
}

TEST_CASE("as many clusters as different rows are those rows; more are refused") {
  rvm::Tensor<float> x({30, 3});
  for (std::size_t i = 0; i < 30; ++i) x(i, 1) = static_cast<float>(i % 5);
  const rvm::KMeans clusters(rows(x), 5);
  CHECK(clusters.inertia() == 0);
  for (std::size_t i = 0; i < 30; ++i) CHECK(clusters.labels()[i] == clusters.labels()[i % 5]);
  CHECK_THROWS_WITH(rvm::KMeans(rows(x), 6), ContainsSubstring("only 5 differ cannot be sorted into 6 clusters"));
  CHECK_THROWS_AS(rvm::KMeans(rows(x), 0), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::KMeans({x.data(), 0, 3}, 1), rvm::ArgumentError);
  x(7, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(rvm::KMeans(rows(x), 1), rvm::ArgumentError);
  x(7, 2) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(rvm::KMeans(rows(x), 2), rvm::ArgumentError);
}

TEST_CASE("rows are read with their stride, and others sorted by the same centres") {
  const rvm::Tensor<float> x = blobs(test::Random(5).numbers({3, 8}, 20), 60, 1);
  const rvm::MatrixView<const float> part(x.data() + 2, 60, 4, 8);
  rvm::Tensor<float> copy({60, 4});
  for (std::size_t i = 0; i < 60; ++i) std::copy_n(&x(i, 2), 4, &copy(i, 0));
  const rvm::KMeans strided(part, 3, 1);
  const rvm::KMeans packed(rows(copy), 3, 1);
  CHECK(std::equal(strided.centres().begin(), strided.centres().end(), packed.centres().begin()));
  std::vector<std::uint32_t> labels(1);
  strided.assign({strided.centres()[2].data(), 1, 4}, labels);
  CHECK(labels[0] == 2);
  CHECK_THROWS_AS(strided.assign(part, labels), rvm::ArgumentError);
  std::vector<std::uint32_t> all(60);
  CHECK_THROWS_AS(strided.assign(rows(x), all), rvm::ArgumentError);
}
