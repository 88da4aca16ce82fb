#include <rvm/visualize/palette.hpp>

#include <algorithm>
#include <cstdlib>

#include "support/catch.hpp"

TEST_CASE("labels have the colours of PASCAL VOC and DAVIS") {
  using rvm::Colour;
  using rvm::label_colour;
  CHECK(label_colour(0) == Colour{0, 0, 0});
  CHECK(label_colour(1) == Colour{128, 0, 0});
  CHECK(label_colour(2) == Colour{0, 128, 0});
  CHECK(label_colour(3) == Colour{128, 128, 0});
  CHECK(label_colour(4) == Colour{0, 0, 128});
  CHECK(label_colour(7) == Colour{128, 128, 128});
  CHECK(label_colour(8) == Colour{64, 0, 0});
  CHECK(label_colour(20) == Colour{0, 64, 128});
  CHECK(label_colour(255) == Colour{224, 224, 192});
  static_assert(label_colour(15) == Colour{192, 128, 128});
}

TEST_CASE("distinct colours are bright, and near ones differ") {
  for (std::size_t i = 0; i < 100; ++i) {
    const rvm::Colour a = rvm::distinct_colour(i);
    CAPTURE(i, int{a[0]}, int{a[1]}, int{a[2]});
    CHECK(*std::max_element(a.begin(), a.end()) > 110);
    for (std::size_t j = i + 1; j < i + 12; ++j) {
      const rvm::Colour b = rvm::distinct_colour(j);
      CAPTURE(j);
      CHECK(std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]) > 50);
    }
  }
}
