#include "common/live/moment.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "common/image_source.hpp"
#include "support/catch.hpp"
#include "support/live.hpp"
#include "support/temp_dir.hpp"

namespace {

rvm::Image decode(const std::string& bytes, const std::string& name) {
  const test::TempDir dir;
  test::write_file(dir / name, test::bytes_of(bytes));
  return rvm::examples::load_image(dir / name);
}

}  // namespace

TEST_CASE("a moment goes to the browser whole") {
  rvm::examples::Moment moment;
  moment.step = 7;
  moment.frames = 1000000000000;
  moment.milliseconds = 12.5;
  moment.rate = 30;
  moment.norm = 0.125;
  moment.status = "playing";
  moment.notice = "a \"line\" \xff of any bytes";
  moment.source = "clip.mp4";
  moment.state_file = "kept";
  moment.points = {{0, true, {1.25F, 2}, {{0, 2}, {1.25F, 2}}}, {1, false, {3, 4}, {{3, 4}}}};
  // Smooth, as JPEG likes it.
  moment.frame = rvm::Image(32, 48);
  for (std::size_t y = 0; y < 32; ++y) {
    for (std::size_t x = 0; x < 48; ++x) {
      moment.frame.bytes()(y, x, 0) = static_cast<std::uint8_t>(5 * x);
      moment.frame.bytes()(y, x, 1) = static_cast<std::uint8_t>(8 * y);
      moment.frame.bytes()(y, x, 2) = 100;
    }
  }
  moment.colours = rvm::Image(2, 3, rvm::PixelFormat::kRgbFloat);
  for (std::size_t i = 0; i < 18; ++i) moment.colours.floats().data()[i] = static_cast<float>(i) / 17;

  const test::DecodedMoment read(encode(moment, 42));
  CHECK(read.json["serial"] == 42);
  CHECK(read.json["step"] == 7);
  CHECK(read.json["frames"] == 1000000000000);
  CHECK(read.json["milliseconds"] == 12.5);
  CHECK(read.json["rate"] == 30);
  CHECK(read.json["norm"] == 0.125);
  CHECK(read.json["height"] == 32);
  CHECK(read.json["width"] == 48);
  CHECK(read.json["status"] == "playing");
  CHECK(read.json["notice"] == "a \"line\" \xef\xbf\xbd of any bytes");
  CHECK(read.json["source"] == "clip.mp4");
  CHECK(read.json["state_file"] == "kept");
  REQUIRE(read.json["points"].size() == 2);
  CHECK(read.json["points"][0].dump() == R"({"id":0,"seen":true,"trail":[[0.0,2.0],[1.3,2.0]],"x":1.3,"y":2.0})");
  CHECK(read.json["points"][1]["seen"] == false);

  const rvm::Image frame = decode(read.frame, "frame.jpg");
  REQUIRE(frame.height() == 32);
  REQUIRE(frame.width() == 48);
  double difference = 0;
  for (std::size_t i = 0; i < frame.bytes().size(); ++i) {
    difference += std::abs(frame.bytes().data()[i] - moment.frame.bytes().data()[i]);
  }
  CHECK(difference / static_cast<double>(frame.bytes().size()) < 4);
  const rvm::Image colours = decode(read.colours, "colours.png");
  REQUIRE(colours.bytes().size() == 18);
  for (std::size_t i = 0; i < 18; ++i) CHECK(colours.bytes().data()[i] == 15 * i);
}

TEST_CASE("before the first frame there are no pictures") {
  rvm::examples::Moment moment;
  moment.norm = std::numeric_limits<double>::quiet_NaN();
  const test::DecodedMoment read(encode(moment, 1));
  CHECK(read.json["height"] == 0);
  CHECK(read.json["frame_bytes"] == 0);
  CHECK(read.json["norm"].is_null());
  CHECK(read.frame.empty());
  CHECK(read.colours.empty());
}
