#include <rvm/layers/position_encoding.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/reference.hpp"

TEST_CASE("position encodings are those of the authors' model on every grid") {
  const rvm::Weights tables = rvm::load_npz(test::data("position_encoding.npz"));
  REQUIRE(tables.size() >= 5);
  for (const std::string& grid : tables.keys()) {
    CAPTURE(grid);
    std::size_t h = 0;
    std::size_t w = 0;
    REQUIRE(std::sscanf(grid.c_str(), "%zux%zu", &h, &w) == 2);
    const rvm::Tensor<float> expected = tables.at(grid).as<float>();
    const rvm::Tensor<float> found = rvm::position_encoding(h, w, expected.shape()[2]);
    REQUIRE(found.shape() == expected.shape());
    CHECK(test::difference(found, expected) < 4e-6);
  }
}

TEST_CASE("position encodings agree with the plain formula on odd grids and widths") {
  for (const auto& [h, w, width] : {std::array<std::size_t, 3>{1, 1, 6}, {16, 16, 10}, {3, 40, 8}, {33, 5, 7}}) {
    CAPTURE(h, w, width);
    CHECK(test::difference(rvm::position_encoding(h, w, width),
                           test::Reference::position_encoding(h, w, width).values) < 1e-6);
  }
}

TEST_CASE("the sinusoid table begins as it must") {
  const rvm::Tensor<float> table = rvm::sinusoid_table(600, 512);
  CHECK(table.shape() == rvm::Shape{600, 512});
  CHECK(table(0, 0) == 0.0F);
  CHECK(table(0, 1) == 1.0F);
  CHECK(table(1, 0) == static_cast<float>(std::sin(1.0)));
  CHECK(table(1, 1) == static_cast<float>(std::cos(1.0)));
  CHECK(table(599, 510) == static_cast<float>(std::sin(599.0 / std::pow(10000.0, 510.0 / 512.0))));
}
