#include <rvm/visualize/pca.hpp>

#include <array>
#include <cmath>
#include <cstddef>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

rvm::MatrixView<const float> rows(const rvm::Tensor<float>& t) {
  return {t.data(), t.shape()[0], t.shape()[1]};
}

/// Points along three orthogonal directions of deviations 5, 2 and 1, a little noise, and an offset.
rvm::Tensor<float> cloud(const std::array<std::array<float, 6>, 3>& directions) {
  test::Random random(1);
  rvm::Tensor<float> x({4000, 6});
  const std::array<float, 3> deviations{5, 2, 1};
  for (std::size_t i = 0; i < x.shape()[0]; ++i) {
    for (std::size_t d = 0; d < 6; ++d) x(i, d) = 10.0F + static_cast<float>(d) + random.number(0.01F);
    for (std::size_t c = 0; c < 3; ++c) {
      const float along = random.number(deviations[c] * std::sqrt(3.0F));
      for (std::size_t d = 0; d < 6; ++d) x(i, d) += along * directions[c][d];
    }
  }
  return x;
}

constexpr float kHalf = 0.5F;
constexpr std::array<std::array<float, 6>, 3> kDirections{
    {{kHalf, kHalf, kHalf, kHalf, 0, 0}, {kHalf, -kHalf, kHalf, -kHalf, 0, 0}, {0, 0, 0, 0, 0.6F, 0.8F}}};

}  // namespace

TEST_CASE("three known directions are recovered, strongest first") {
  const rvm::Tensor<float> x = cloud(kDirections);
  const rvm::Pca pca(rows(x), 3);
  CHECK(pca.count() == 3);
  CHECK(pca.width() == 6);
  const std::array<double, 3> variances{25, 4, 1};
  for (std::size_t c = 0; c < 3; ++c) {
    double dot = 0;
    for (std::size_t d = 0; d < 6; ++d) dot += static_cast<double>(pca.components()(c, d) * kDirections[c][d]);
    CAPTURE(c, dot);
    CHECK(std::abs(dot) > 0.999);
    CHECK(std::abs(static_cast<double>(pca.variances()(c)) / variances[c] - 1) < 0.05);
  }
  for (std::size_t d = 0; d < 6; ++d) CHECK(std::abs(pca.mean()(d) - 10.0F - static_cast<float>(d)) < 0.3F);
}

TEST_CASE("the sign of a component is fixed") {
  rvm::Tensor<float> x = cloud(kDirections);
  const rvm::Pca pca(rows(x), 3);
  for (float& v : x) v = 20.0F - v;
  const rvm::Pca turned(rows(x), 3);
  for (std::size_t c = 0; c < 3; ++c) {
    float largest = 0;
    for (std::size_t d = 0; d < 6; ++d) {
      if (std::abs(pca.components()(c, d)) > std::abs(largest)) largest = pca.components()(c, d);
    }
    CHECK(largest > 0);
  }
  for (std::size_t d = 0; d < 6; ++d) CHECK(std::abs(pca.components()(2, d) - turned.components()(2, d)) < 1e-4F);
}

TEST_CASE("projections are coordinates around the mean, and keep a stride") {
  const rvm::Tensor<float> x = cloud(kDirections);
  const rvm::Pca pca({x.data(), x.shape()[0], 4, 6}, 2);
  rvm::Tensor<float> out({x.shape()[0], 5});
  pca.project({x.data(), x.shape()[0], 4, 6}, {out.data() + 1, x.shape()[0], 2, 5});
  double mean = 0;
  double variance = 0;
  bool margins = true;
  for (std::size_t i = 0; i < x.shape()[0]; ++i) {
    mean += static_cast<double>(out(i, 1)) / 4000;
    variance += static_cast<double>(out(i, 1)) * static_cast<double>(out(i, 1)) / 4000;
    margins = margins && out(i, 0) == 0.0F && out(i, 3) == 0.0F;
  }
  CHECK(margins);
  CHECK(std::abs(mean) < 1e-3);
  CHECK(std::abs(variance / static_cast<double>(pca.variances()(0)) - 1) < 1e-3);
}

TEST_CASE("what has no components is refused") {
  const rvm::Tensor<float> x({5, 4});
  CHECK_THROWS_AS(rvm::Pca(rows(x), 0), rvm::ArgumentError);
  CHECK_THROWS_WITH(rvm::Pca(rows(x), 5), ContainsSubstring("rows of 4 numbers have no 5"));
  CHECK_THROWS_AS(rvm::Pca(rows(x), std::size_t{1} << 60), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::Pca({x.data(), 0, 4}, 1), rvm::ArgumentError);
  const rvm::Pca pca(rows(x), 2);  // all rows equal: any directions
  rvm::Tensor<float> out({5, 3});
  CHECK_THROWS_AS(pca.project(rows(x), {out.data(), 5, 3}), rvm::ArgumentError);
}
