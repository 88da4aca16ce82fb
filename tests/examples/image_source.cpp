#include "common/image_source.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>

#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/temp_dir.hpp"

using rvm::examples::decode_image;

namespace {

using Bytes = std::vector<std::byte>;

Bytes picture(const std::string& name) {
  return test::read_file(test::data("../fuzz/corpus/image/" + name));
}

std::string refusal(std::span<const std::byte> file) {
  try {
    decode_image(file, "file");
  } catch (const rvm::IoError& error) {
    return error.what();
  }
  return "read";
}

/// Where a JPEG's segment of that kind begins.
std::size_t segment(const Bytes& jpeg, unsigned kind) {
  const std::array<std::byte, 2> marker{std::byte{0xff}, static_cast<std::byte>(kind)};
  const auto found = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end());
  REQUIRE(found != jpeg.end());
  return static_cast<std::size_t>(found - jpeg.begin());
}

}  // namespace

TEST_CASE("JPEGs of all kinds are read as other programs read them") {
  struct Case {
    std::string name;
    std::array<int, 3> last;  // pixel
    int sum;                  // of all bytes
  };
  // What Pillow says of them.
  for (const Case& c : {Case{"baseline", {224, 115, 46}, 83817}, Case{"progressive", {224, 115, 46}, 83817},
                        Case{"grey", {140, 140, 140}, 85464}, Case{"restart", {228, 114, 52}, 83377}}) {
    CAPTURE(c.name);
    const rvm::Image image = decode_image(picture(c.name + ".jpg"), "file");
    REQUIRE(image.height() == 17);
    REQUIRE(image.width() == 19);
    CHECK(std::accumulate(image.bytes().begin(), image.bytes().end(), 0) == c.sum);
    CHECK(std::ranges::equal(image.bytes()[16][18].span(), c.last));
  }
}

TEST_CASE("pictures without compression are read pixel by pixel") {
  for (const char* name : {"plain.ppm", "rgb.bmp"}) {
    CAPTURE(name);
    const rvm::Image image = decode_image(picture(name), "file");
    REQUIRE(image.height() == 5);
    REQUIRE(image.width() == 7);
    for (std::size_t y = 0; y < 5; ++y) {
      for (std::size_t x = 0; x < 7; ++x) {
        const std::array<std::size_t, 3> pixel{37 * x % 256, 91 * y % 256, 13 * x * y % 256};
        CHECK(std::ranges::equal(image.bytes()[y][x].span(), pixel));
      }
    }
  }
  CHECK(refusal(picture("palette.bmp")) == "read");
}

TEST_CASE("a JPEG whose Huffman table has more codes than there are is refused") {
  Bytes jpeg = picture("baseline.jpg");
  const std::size_t counts = segment(jpeg, 0xc4) + 5;
  for (std::size_t i = 0; i < 16; ++i) {
    Bytes damaged = jpeg;
    damaged[counts + i] = std::byte{0xff};
    CHECK_THAT(refusal(damaged), ContainsSubstring("file: cannot be read as an image: "));
  }
  CHECK_THAT(refusal(picture("huffman.jpg")), ContainsSubstring("file: cannot be read as an image: "));
  std::fill_n(jpeg.begin() + static_cast<std::ptrdiff_t>(counts), 16, std::byte{0xff});
  CHECK_THAT(refusal(jpeg), ContainsSubstring("file: cannot be read as an image: "));
}

TEST_CASE("a JPEG without a picture is refused") {
  CHECK(refusal(picture("no_picture.jpg")) == "file: cannot be read as an image: there is no picture in the JPEG");
}

TEST_CASE("what a message quotes of a picture is printable") {
  Bytes png = test::read_file(test::data("labels/rgb8.png"));
  const std::array<std::byte, 4> kind{std::byte{1}, std::byte{'\n'}, std::byte{27}, std::byte{'x'}};
  std::copy(kind.begin(), kind.end(), png.end() - 8);  // of the last chunk
  CHECK(refusal(png) == "file: cannot be read as an image: ???x PNG chunk not known");
}

TEST_CASE("a picture cut off at any byte is refused") {
  for (const Bytes& whole :
       {test::read_file(test::data("labels/rgb8.png")), picture("baseline.jpg"), picture("progressive.jpg"),
        picture("rgb.bmp"), picture("palette.bmp"), picture("plain.ppm"), picture("comment.pgm")}) {
    REQUIRE(refusal(whole) == "read");
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size, whole.size());
      CHECK_THAT(refusal(std::span(whole).first(size)), ContainsSubstring("file: cannot be read as an image: "));
    }
  }
  const Bytes bmp = picture("rgb.bmp");
  CHECK(refusal(std::span(bmp).first(bmp.size() - 1)) == "file: cannot be read as an image: it is cut off");
}

TEST_CASE("a picture that claims more pixels than its file can hold is refused before memory is taken") {
  const std::string claims = "file: claims 10000x10000 pixels, more than such a file can hold";
  constexpr std::byte kHigh{10000 >> 8};
  constexpr std::byte kLow{10000 & 0xff};
  Bytes bmp = picture("rgb.bmp");
  bmp[18] = bmp[22] = kLow;
  bmp[19] = bmp[23] = kHigh;
  CHECK(refusal(bmp) == claims);
  Bytes png = test::read_file(test::data("labels/rgb8.png"));
  png[18] = png[22] = kHigh;
  png[19] = png[23] = kLow;
  CHECK(refusal(png) == claims);
  Bytes jpeg = picture("baseline.jpg");
  const std::size_t size = segment(jpeg, 0xc0) + 5;
  jpeg[size] = jpeg[size + 2] = kHigh;
  jpeg[size + 1] = jpeg[size + 3] = kLow;
  CHECK(refusal(jpeg) == claims);
}

TEST_CASE("what is no picture is refused") {
  CHECK_THAT(refusal({}), ContainsSubstring("file: cannot be read as an image: "));
  CHECK_THAT(refusal(test::bytes_of("GIF89a and so on, which is not read")),
             ContainsSubstring("file: cannot be read as an image: "));
}
