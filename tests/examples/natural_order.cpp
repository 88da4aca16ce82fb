#include "common/natural_order.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("file names are ordered as a person would") {
  const std::vector<std::string> expected{"",          "a",      "a1",       "a2",        "a10",
                                          "a10b",      "b",      "img2.png", "img02.png", "img10.png",
                                          "img11.png", "v1.2.9", "v1.2.10",  "v1.10"};
  std::vector<std::string> names = expected;
  std::swap(names[7], names[8]);
  std::reverse(names.begin(), names.end());
  std::sort(names.begin(), names.end(), rvm::examples::natural_less);
  std::vector<std::string> sorted = expected;
  std::swap(sorted[7], sorted[8]);  // the same number: "img02" before "img2"
  CHECK(names == sorted);
  CHECK_FALSE(rvm::examples::natural_less("a1", "a1"));
  CHECK(rvm::examples::natural_less("1" + std::string(40, '0'), "2" + std::string(40, '0')));
}
