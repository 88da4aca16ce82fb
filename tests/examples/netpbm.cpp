#include "common/netpbm.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>

#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/temp_dir.hpp"

using rvm::examples::decode_netpbm;

namespace {

std::vector<int> pixels(const std::string& file) {
  const rvm::Image image = decode_netpbm(test::bytes_of(file), "file");
  return {image.bytes().begin(), image.bytes().end()};
}

std::string refusal(const std::string& file) {
  try {
    decode_netpbm(test::bytes_of(file), "file");
  } catch (const rvm::IoError& error) {
    return error.what();
  }
  return "read";
}

}  // namespace

TEST_CASE("a PPM is RGB, a PGM grey; comments and any spaces may stand between the numbers") {
  CHECK(pixels("P6 2 1 255\nabcdef") == std::vector<int>{'a', 'b', 'c', 'd', 'e', 'f'});
  CHECK(pixels("P5\t1\r\n2\n255 ab") == std::vector<int>{'a', 'a', 'a', 'b', 'b', 'b'});
  CHECK(pixels("P5 # 9 9\n#\n 1 # x\n1\n255\n\n") == std::vector<int>{'\n', '\n', '\n'});
  CHECK(pixels("P5 1 1 255\nab") == std::vector<int>{'a', 'a', 'a'});  // what follows belongs to no picture
}

TEST_CASE("a PPM or PGM that is not whole is refused by what is wrong") {
  const std::string start = "file: cannot be read as an image: ";
  CHECK(refusal("P5 0 1 255\n") == start + "no pixels");
  CHECK(refusal("P5 -1 1 255\n") == start + "no pixels");
  CHECK(refusal("P5 4294967296 1 255\n") == start + "no pixels");
  CHECK(refusal("P5 1 1 65535\nab") == start + "a PPM or PGM of 255 levels expected, found 65535");
  CHECK(refusal("P5 1 1") == start + "a PPM or PGM of 255 levels expected, found 0");
  CHECK(refusal("P5 1 1 255") == start + "a damaged header");
  CHECK(refusal("P5 1 1 255#\na") == start + "a damaged header");
  CHECK(refusal("P6 2 1 255\nabcde") == start + "1x2 pixels expected, found 5 bytes");
  CHECK(refusal("P6 4294967295 4294967295 255\nabc") == start + "4294967295x4294967295 pixels expected, found 3 bytes");
  const std::string whole = "P6 # grey\n2 1 255\nabcdef";
  for (std::size_t size = 2; size < whole.size(); ++size) CHECK(refusal(whole.substr(0, size)).starts_with(start));
}
