#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/visualize/palette.hpp>

#include "common/image_source.hpp"
#include "common/label_png.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"

using rvm::examples::read_label_png;
using rvm::examples::save_label_png;

namespace {

constexpr std::size_t kHeight = 5;
constexpr std::size_t kWidth = 11;

/// What the PNGs of tests/data/labels hold, by the number of their bits.
rvm::LabelImage expected(unsigned bits) {
  rvm::LabelImage labels({kHeight, kWidth});
  for (std::size_t i = 0; i < labels.size(); ++i) labels.data()[i] = static_cast<std::uint8_t>(7 * i % (1U << bits));
  return labels;
}

bool same(const rvm::LabelImage& a, const rvm::LabelImage& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

TEST_CASE("labels are a palette's indices, or grey values, whatever the colours") {
  for (const unsigned bits : {1U, 2U, 4U, 8U}) {
    CAPTURE(bits);
    CHECK(same(read_label_png(test::data("labels/palette" + std::to_string(bits) + ".png")), expected(bits)));
  }
  CHECK(same(read_label_png(test::data("labels/palette8_interlaced.png")), expected(8)));
  CHECK(same(read_label_png(test::data("labels/grey8.png")), expected(8)));
}

TEST_CASE("other kinds of PNG are refused by name") {
  const auto refuses = [](const std::string& name, const std::string& kind) {
    CAPTURE(name);
    CHECK_THROWS_WITH(read_label_png(test::data("labels/" + name + ".png")),
                      ContainsSubstring(name + ".png: expected a PNG of labels, palette or 8-bit grey, found " + kind));
  };
  refuses("grey1", "1-bit grey");
  refuses("grey2", "2-bit grey");
  refuses("grey4", "4-bit grey");
  refuses("grey16", "16-bit grey");
  refuses("grey8_alpha", "8-bit grey with alpha");
  refuses("rgb8", "8-bit RGB");
  refuses("rgb16", "16-bit RGB");
  refuses("rgba8", "8-bit RGB with alpha");
}

TEST_CASE("no damage makes other labels") {
  const test::TempDir dir;
  const std::vector<std::byte> good = test::read_file(test::data("labels/palette8.png"));
  std::size_t noticed = 0;
  const auto check = [&](const std::vector<std::byte>& bytes) {
    std::filesystem::remove(dir / "damaged.png");  // a new file is quicker than to write over one
    test::write_file(dir / "damaged.png", bytes);
    try {
      const rvm::LabelImage read = read_label_png(dir / "damaged.png");
      CHECK(same(read, expected(8)));
    } catch (const rvm::IoError& error) {
      CHECK_THAT(error.what(), ContainsSubstring("damaged.png: ") && !ContainsSubstring("\n"));
      ++noticed;
    }
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::vector<std::byte> bytes = good;
      bytes[i] ^= static_cast<std::byte>(flip);
      check(bytes);
    }
  }
  CHECK(noticed > 3 * good.size() * 9 / 10);
  noticed = 0;
  constexpr std::size_t kEnd = 12;  // the last chunk, which says nothing
  for (std::size_t size = 0; size < good.size() - kEnd; ++size) {
    CAPTURE(size);
    check({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  CHECK(noticed == good.size() - kEnd);

  CHECK_THROWS_WITH(read_label_png(dir / "none.png"), ContainsSubstring("none.png: cannot open: No such file"));
  CHECK_THROWS_AS(read_label_png(dir.path()), rvm::IoError);
  test::write_file(dir / "text.png", test::bytes_of("no picture at all"));
  CHECK_THROWS_WITH(read_label_png(dir / "text.png"), ContainsSubstring("text.png: cannot be read as a PNG"));
}

TEST_CASE("a claim of more pixels than there can be is refused before memory is taken") {
  const test::TempDir dir;
  std::vector<std::byte> bytes = test::read_file(test::data("labels/palette8.png"));
  // 99,999 x 99,999; the checksum of the header fits.
  const std::vector<unsigned> header{0, 1, 0x86, 0x9f, 0, 1, 0x86, 0x9f, 8, 3, 0, 0, 0, 0xf3, 0x58, 0x97, 0x37};
  std::transform(header.begin(), header.end(), bytes.begin() + 16,
                 [](unsigned b) { return static_cast<std::byte>(b); });
  test::write_file(dir / "huge.png", bytes);
  CHECK_THROWS_WITH(read_label_png(dir / "huge.png"), ContainsSubstring("huge.png: claims 99999x99999 pixels"));
}

TEST_CASE("a mask that belongs to a frame has its size") {
  const std::string path = test::data("labels/palette4.png");
  CHECK(same(read_label_png(path, {kHeight, kWidth}), expected(4)));
  CHECK_THROWS_WITH(read_label_png(path, {kWidth, kHeight}),
                    ContainsSubstring("palette4.png: the mask is 5x11, while the frame is 11x5"));
}

TEST_CASE("written labels are read again, in the colours of the palette") {
  const test::TempDir dir;
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 300}, {37, 1}, {64, 53}}) {
    const rvm::LabelImage labels =
        test::Random(3).bytes({static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
    save_label_png(dir / "labels.png", labels);
    CHECK(same(read_label_png(dir / "labels.png"), labels));
    const rvm::Image picture = rvm::examples::load_image(dir / "labels.png");
    REQUIRE(picture.height() * picture.width() == labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const rvm::Colour colour = rvm::label_colour(labels.data()[i]);
      REQUIRE(std::equal(colour.begin(), colour.end(), picture.bytes().data() + 3 * i));
    }
  }
  // Few labels, or one: still eight bits a pixel.
  rvm::LabelImage one({3, 3});
  save_label_png(dir / "one.png", one);
  CHECK(test::read_file(dir / "one.png")[24] == std::byte{8});
  CHECK(test::read_file(dir / "one.png")[25] == std::byte{3});
  CHECK(same(read_label_png(dir / "one.png"), one));
}

TEST_CASE("labels that cannot be written leave nothing behind") {
  const test::TempDir dir;
  CHECK_THROWS_AS(save_label_png(dir / "x.png", rvm::LabelImage()), rvm::ArgumentError);
  CHECK_THROWS_AS(save_label_png(dir / "x.png", rvm::LabelImage({2, 2, 1})), rvm::ArgumentError);
  CHECK_THROWS_WITH(save_label_png(dir / "no/x.png", rvm::LabelImage({2, 2})), ContainsSubstring("no/x.png: cannot"));
  CHECK(dir.empty());
}
