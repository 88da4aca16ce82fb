// Pictures written as videos, contact sheets and directories, and read back.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/image/image.hpp>

#include "common/even_sample.hpp"
#include "common/frame_source.hpp"
#include "common/image_source.hpp"
#include "common/montage.hpp"
#include "common/picture_sink.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"

using rvm::examples::fill;
using rvm::examples::open_sink;
using rvm::examples::open_source;
using rvm::examples::PictureSink;

namespace {

/// Four coloured quarters; the border between the upper two moves to the right by two pixels a picture.
rvm::Image quarters(std::size_t height, std::size_t width, std::size_t t) {
  constexpr std::uint8_t kColours[4][3] = {{220, 30, 40}, {20, 200, 60}, {30, 60, 210}, {235, 225, 215}};
  rvm::Image image(height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t border = y < height / 2 ? width / 4 + 2 * t : width / 2;
      const std::size_t quarter = (y < height / 2 ? 0 : 2) + (x < border ? 0 : 1);
      std::copy_n(kColours[quarter], 3, &image.bytes()(y, x, 0));
    }
  }
  return image;
}

void write(PictureSink& sink, std::size_t height, std::size_t width, std::size_t count) {
  for (std::size_t t = 0; t < count; ++t) sink.write(quarters(height, width, t));
}

std::vector<rvm::Image> read_all(const std::filesystem::path& path) {
  const auto source = open_source(path);
  std::vector<rvm::Image> pictures;
  while (const auto picture = source->next()) pictures.push_back(rvm::to_rgb(*picture));
  CHECK(source->warning().empty());
  return pictures;
}

/// Mean of the absolute differences, over the pixels that both have.
double difference(const rvm::Image& a, const rvm::Image& b) {
  double sum = 0;
  const std::size_t height = std::min(a.height(), b.height());
  const std::size_t width = std::min(a.width(), b.width());
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < 3; ++c) sum += std::abs(int{a.bytes()(y, x, c)} - int{b.bytes()(y, x, c)});
    }
  }
  return sum / static_cast<double>(3 * height * width);
}

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string text_of(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = test::read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("an MP4 holds every picture in its colours at its rate") {
  const test::TempDir dir;
  const auto path = dir / "film.mp4";
  const auto sink = open_sink(path, 24000.0 / 1001);
  write(*sink, 96, 128, 30);
  CHECK(sink->count() == 30);
  CHECK_FALSE(std::filesystem::exists(path));
  sink->finish();
  CHECK(sink->summary() == path.string() + ": 30 pictures of 96x128");
  CHECK(names_in(dir.path()) == std::vector<std::string>{"film.mp4"});

  const auto source = open_source(path);
  CHECK(source->count() == std::size_t{30});
  REQUIRE(source->fps());
  CHECK(*source->fps() == Approx(24000.0 / 1001));
  const std::vector<rvm::Image> pictures = read_all(path);
  REQUIRE(pictures.size() == 30);
  for (std::size_t t = 0; t < 30; ++t) {
    CAPTURE(t);
    CHECK(pictures[t].height() == 96);
    CHECK(pictures[t].width() == 128);
    CHECK(difference(pictures[t], quarters(96, 128, t)) < 3);
    for (const auto& [y, x] : {std::pair{10, 10}, {10, 120}, {90, 10}, {90, 120}}) {
      for (std::size_t c = 0; c < 3; ++c) {
        const rvm::Image expected = quarters(96, 128, t);
        CHECK(std::abs(int{pictures[t].bytes()(y, x, c)} - int{expected.bytes()(y, x, c)}) <= 4);
      }
    }
  }
  CHECK_THROWS_AS(sink->write(quarters(96, 128, 0)), rvm::ArgumentError);
  CHECK_NOTHROW(sink->finish());
}

TEST_CASE("an MP4 of an odd size gets one more row and column, copies of the last") {
  const test::TempDir dir;
  const auto sink = open_sink(dir / "odd.mp4", 10);
  write(*sink, 33, 47, 3);
  sink->finish();
  const std::vector<rvm::Image> pictures = read_all(dir / "odd.mp4");
  REQUIRE(pictures.size() == 3);
  CHECK(pictures[0].height() == 34);
  CHECK(pictures[0].width() == 48);
  CHECK(difference(pictures[0], quarters(33, 47, 0)) < 8);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(int{pictures[0].bytes()(10, 47, c)} - int{pictures[0].bytes()(10, 46, c)}) <= 6);
    CHECK(std::abs(int{pictures[0].bytes()(33, 10, c)} - int{pictures[0].bytes()(32, 10, c)}) <= 6);
  }
}

TEST_CASE("one picture, and the smallest, make a video") {
  const test::TempDir dir;
  for (const std::string name : {"one.mp4", "one.gif"}) {
    const auto sink = open_sink(dir / name, 30);
    sink->write(quarters(2, 2, 0));
    sink->finish();
    CHECK(read_all(dir / name).size() == 1);
  }
}

TEST_CASE("a GIF keeps few colours exactly, and repeats") {
  const test::TempDir dir;
  const auto sink = open_sink(dir / "film.gif", 20);
  write(*sink, 33, 48, 12);
  sink->finish();
  const std::vector<rvm::Image> pictures = read_all(dir / "film.gif");
  REQUIRE(pictures.size() == 12);
  for (std::size_t t = 0; t < 12; ++t) {
    CHECK(pictures[t].height() == 33);
    CHECK(pictures[t].width() == 48);
    CHECK(difference(pictures[t], quarters(33, 48, t)) == 0);
  }
  CHECK(*open_source(dir / "film.gif")->fps() == Approx(20));
  CHECK(text_of(dir / "film.gif").find(std::string("NETSCAPE2.0\x03\x01\x00\x00", 15)) != std::string::npos);
}

TEST_CASE("a GIF of many colours is near them") {
  const test::TempDir dir;
  rvm::Image ramp(64, 64);
  for (std::size_t y = 0; y < 64; ++y) {
    for (std::size_t x = 0; x < 64; ++x) {
      ramp.bytes()(y, x, 0) = static_cast<std::uint8_t>(4 * x);
      ramp.bytes()(y, x, 1) = static_cast<std::uint8_t>(4 * y);
      ramp.bytes()(y, x, 2) = static_cast<std::uint8_t>(255 - 2 * (x + y));
    }
  }
  const auto sink = open_sink(dir / "ramp.gif", 10);
  sink->write(ramp);
  sink->write(quarters(64, 64, 0));
  sink->finish();
  const std::vector<rvm::Image> pictures = read_all(dir / "ramp.gif");
  REQUIRE(pictures.size() == 2);
  CHECK(difference(pictures[0], ramp) < 8);
  CHECK(difference(pictures[1], quarters(64, 64, 0)) == 0);  // a palette for each picture
}

TEST_CASE("a GIF leaves out pictures that no browser would show in time") {
  const test::TempDir dir;
  const auto sink = open_sink(dir / "fast.gif", 100);
  write(*sink, 16, 64, 20);
  sink->finish();
  const std::vector<rvm::Image> pictures = read_all(dir / "fast.gif");
  REQUIRE(pictures.size() == 10);
  CHECK(difference(pictures[9], quarters(16, 64, 18)) == 0);
}

TEST_CASE("a directory gets numbered PNGs, and is made if need be") {
  const test::TempDir dir;
  const auto path = dir / "a/b.c/";
  const auto sink = open_sink(path);
  write(*sink, 20, 24, 3);
  sink->finish();
  CHECK(names_in(path) == std::vector<std::string>{"000000.png", "000001.png", "000002.png"});
  for (std::size_t t = 0; t < 3; ++t) CHECK(difference(read_all(path).at(t), quarters(20, 24, t)) == 0);
  CHECK_THROWS_WITH(open_sink(path), ContainsSubstring("a/b.c/: holds pictures already, such as 00000"));
  CHECK_THROWS_WITH(open_sink(dir / "a/b.c"), ContainsSubstring("holds pictures already"));  // it is a directory

  rvm::Image floats(1, 2, rvm::PixelFormat::kRgbFloat);
  floats.floats()(0, 0, 0) = 0.5F;
  floats.floats()(0, 1, 1) = std::numeric_limits<float>::quiet_NaN();
  floats.floats()(0, 1, 2) = 7;
  open_sink(dir / "floats")->write(floats);  // not finished: what is in a directory stays
  const rvm::Image read = read_all(dir / "floats").at(0);
  CHECK(read.bytes()(0, 0, 0) == 128);
  CHECK(read.bytes()(0, 1, 1) == 0);
  CHECK(read.bytes()(0, 1, 2) == 255);
}

TEST_CASE("a contact sheet shows pictures from all over the sequence in a row") {
  const test::TempDir dir;
  constexpr std::size_t kGap = rvm::examples::kMontageGap;
  const auto sink = open_sink(dir / "sheet.PNG", std::nullopt, 3);
  CHECK(rvm::examples::is_contact_sheet(dir / "sheet.PNG"));
  std::vector<rvm::Image> pictures;
  for (std::size_t t = 0; t < 20; ++t) {
    pictures.push_back(rvm::Image(8, 10));
    std::fill(pictures[t].bytes().begin(), pictures[t].bytes().end(), static_cast<std::uint8_t>(t));
    sink->write(pictures[t]);
  }
  sink->finish();
  const rvm::Image sheet = rvm::examples::load_image(dir / "sheet.PNG");
  CHECK(sheet.height() == 8);
  REQUIRE(sheet.width() == 3 * 10 + 2 * kGap);
  CHECK(sheet.bytes()(3, 0, 0) == 0);
  CHECK(sheet.bytes()(3, 10, 0) == 255);
  CHECK(int{sheet.bytes()(3, 10 + kGap, 0)} == Approx(9.5).margin(2));
  CHECK(int{sheet.bytes()(7, 20 + 2 * kGap, 2)} >= 16);
}

TEST_CASE("an even sample holds the first item and reaches the end, whatever the length") {
  for (std::size_t count = 1; count < 8; ++count) {
    for (std::size_t length = 0; length < 100; ++length) {
      CAPTURE(count, length);
      rvm::examples::EvenSample<std::size_t> sample(count);
      for (std::size_t t = 0; t < length; ++t) {
        if (sample.wants(t)) sample.add(t);
      }
      const std::vector<std::size_t> items = sample.take();
      REQUIRE(items.size() == std::min(count, length));
      if (items.empty()) continue;
      CHECK(items.front() == 0);
      CHECK(std::is_sorted(items.begin(), items.end()));
      CHECK(std::adjacent_find(items.begin(), items.end()) == items.end());
      if (count > 1) CHECK(items.back() + 1 + length / count >= length);
    }
  }
}

TEST_CASE("pictures of another size are refused, and those so far kept") {
  const test::TempDir dir;
  for (const std::string name : {"film.mp4", "film.gif", "sheet.png", "directory"}) {
    CAPTURE(name);
    const auto sink = open_sink(dir / name, 10);
    write(*sink, 32, 64, 5);
    CHECK_THROWS_WITH(sink->write(quarters(32, 48, 0)),
                      ContainsSubstring(name + ": expected a picture of 32x64") && ContainsSubstring("found 32x48"));
    sink->write(quarters(32, 64, 5));
    sink->finish();
    CHECK(sink->count() == 6);
    CHECK(read_all(dir / name).size() == (name == "sheet.png" ? 1 : 6));
  }
}

TEST_CASE("a file is complete or absent") {
  const test::TempDir dir;
  for (const std::string name : {"film.mp4", "film.gif", "sheet.png"}) {
    write(*open_sink(dir / name, 10), 32, 32, 3);  // abandoned
    open_sink(dir / name, 10)->finish();           // no pictures
    CHECK(dir.empty());
    test::write_file(dir / name, test::bytes_of("old"));
    write(*open_sink(dir / name, 10), 32, 32, 3);
    CHECK(text_of(dir / name) == "old");
    std::filesystem::remove(dir / name);
  }
}

TEST_CASE("whatever stops a program, the pictures so far are kept, and the error says so") {
  const test::TempDir dir;
  const auto stopped_after = [&](const std::string& name, std::size_t count, const auto& error) -> std::string {
    const auto sink = open_sink(dir / name, 10);
    try {
      fill(*sink, [&] {
        write(*sink, 32, 64, count);
        throw error;
      });
    } catch (const rvm::Error& thrown) {
      return thrown.what();
    }
    return "nothing thrown";
  };
  const auto at = [&](const std::string& name) { return (dir / name).string(); };
  CHECK(stopped_after("a.mp4", 7, rvm::IoError("no more frames")) ==
        "no more frames; kept " + at("a.mp4") + ": 7 pictures of 32x64");
  CHECK(read_all(dir / "a.mp4").size() == 7);
  CHECK(stopped_after("b.gif", 1, std::bad_alloc()) == "out of memory; kept " + at("b.gif") + ": 1 picture of 32x64");
  CHECK(read_all(dir / "b.gif").size() == 1);
  CHECK(stopped_after("c.mp4", 0, rvm::Error("interrupted")) == "interrupted; nothing is written");
  CHECK_FALSE(std::filesystem::exists(dir / "c.mp4"));

  const auto sink = open_sink(dir / "d.mp4", 10);
  fill(*sink, [&] { write(*sink, 32, 64, 3); });
  CHECK(read_all(dir / "d.mp4").size() == 3);
}

TEST_CASE("names that say nothing and places that cannot be written are refused") {
  const test::TempDir dir;
  CHECK_THROWS_WITH(open_sink(dir / "film.avi"), ContainsSubstring("film.avi: expected the name of a .mp4"));
  CHECK_THROWS_AS(open_sink("/no/such/place/film.mp4"), rvm::IoError);
  CHECK_THROWS_AS(open_sink("/no/such/place/film.gif"), rvm::IoError);
  CHECK_THROWS_AS(open_sink("/no/such/place/sheet.png"), rvm::IoError);
  test::write_file(dir / "file", {});
  CHECK_THROWS_WITH(open_sink(dir / "file"), ContainsSubstring("file: cannot create the directory"));
  CHECK_THROWS_AS(open_sink(dir / "film.mp4", -1.0), rvm::ArgumentError);
  CHECK_THROWS_AS(open_sink(dir / "sheet.png", std::nullopt, 0), rvm::ArgumentError);
  CHECK(names_in(dir.path()) == std::vector<std::string>{"file"});
}

TEST_CASE("montages keep their pictures, white between them") {
  using rvm::examples::kMontageGap;
  const std::vector<rvm::Image> pictures{quarters(10, 20, 0), quarters(16, 12, 0)};
  const rvm::Image row = rvm::examples::side_by_side(pictures);
  CHECK(row.height() == 16);
  CHECK(row.width() == 32 + kMontageGap);
  CHECK(row.bytes()(0, 0, 0) == 220);
  CHECK(row.bytes()(12, 0, 0) == 255);  // below the shorter one
  CHECK(row.bytes()(0, 20 + kMontageGap, 0) == 220);
  const rvm::Image column = rvm::examples::one_below_the_other(pictures);
  CHECK(column.height() == 26 + kMontageGap);
  CHECK(column.width() == 20);
  CHECK(column.bytes()(10, 3, 0) == 255);
  CHECK(column.bytes()(10 + kMontageGap, 0, 0) == 220);
  const rvm::Image large = rvm::examples::enlarge(pictures[0], 3);
  CHECK(large.height() == 30);
  CHECK(large.bytes()(29, 59, 1) == pictures[0].bytes()(9, 19, 1));
  CHECK(large.bytes()(0, 14, 1) == large.bytes()(2, 12, 1));
  CHECK_THROWS_AS(rvm::examples::side_by_side({}), rvm::FrameError);
}
