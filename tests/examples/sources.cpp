// Frames from videos, images and arrays.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <rvm/image/image.hpp>
#include <rvm/image/lanczos.hpp>
#include <rvm/weights/npy.hpp>

#include "common/frame_source.hpp"
#include "common/image_source.hpp"
#include "common/picture.hpp"
#include "common/sized_source.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"

using rvm::examples::open_source;
using rvm::examples::SizedSource;

namespace {

const std::string kClip = RVM_EXAMPLES_DATA "/clip.mp4";

std::vector<rvm::Image> read_all(rvm::examples::FrameSource& source) {
  std::vector<rvm::Image> frames;
  while (const auto frame = source.next()) frames.push_back(rvm::to_rgb(*frame));
  return frames;
}

bool same(const rvm::Image& a, const rvm::Image& b) {
  return a.height() == b.height() && std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

rvm::Image random_image(std::size_t height, std::size_t width, std::uint64_t seed) {
  const auto pixels = test::Random(seed).bytes({height, width, 3});
  return rvm::to_rgb(rvm::FrameView(pixels.data(), height, width));
}

double mean(const rvm::Image& image, std::size_t channel) {
  double sum = 0;
  for (std::size_t i = channel; i < image.bytes().size(); i += 3) sum += image.bytes().data()[i];
  return 3 * sum / static_cast<double>(image.bytes().size());
}

}  // namespace

TEST_CASE("a video gives all its frames in its colours") {
  const auto source = open_source(kClip);
  CHECK(source->count() == std::size_t{60});
  REQUIRE(source->fps());
  CHECK(*source->fps() == 20.0);
  const std::vector<rvm::Image> frames = read_all(*source);
  REQUIRE(frames.size() == 60);
  CHECK(frames[0].height() == 192);
  CHECK(frames[0].width() == 320);
  CHECK(source->warning().empty());
  CHECK_FALSE(source->next());
  // What the ffmpeg program makes of the clip (accurate_rnd+full_chroma_int), but for the rounding of other versions.
  CHECK(std::abs(mean(frames[0], 0) - 119.739) < 0.2);
  CHECK(std::abs(mean(frames[0], 1) - 145.212) < 0.2);
  CHECK(std::abs(mean(frames[59], 2) - 160.788) < 0.2);
  CHECK_FALSE(same(frames[0], frames[1]));
}

TEST_CASE("a video that is cut off gives what is there, and says so") {
  const test::TempDir dir;
  std::vector<std::byte> bytes = test::read_file(kClip);
  SECTION("without its index it is no video") {
    bytes.resize(bytes.size() / 2);
    test::write_file(dir / "half.mp4", bytes);
    CHECK_THROWS_AS(open_source(dir / "half.mp4"), rvm::IoError);
  }
  SECTION("with damage inside") {
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 2000; ++i) bytes[i] = std::byte{0x5a};
    test::write_file(dir / "damaged.mp4", bytes);
    const auto source = open_source(dir / "damaged.mp4");
    const std::size_t count = read_all(*source).size();
    CHECK(count > 20);
    CHECK_THAT(source->warning(), ContainsSubstring("damaged.mp4: "));
  }
}

TEST_CASE("what is no video is refused by name") {
  const test::TempDir dir;
  test::write_file(dir / "text.mp4", test::bytes_of("no video at all"));
  test::write_file(dir / "empty.mp4", {});
  CHECK_THROWS_WITH(open_source(dir / "text.mp4"), ContainsSubstring("text.mp4"));
  CHECK_THROWS_WITH(open_source(dir / "empty.mp4"), ContainsSubstring("empty.mp4"));
  CHECK_THROWS_WITH(open_source(dir / "missing.mp4"), ContainsSubstring("missing.mp4: No such file"));
}

TEST_CASE("a directory of images is read in natural order; other files are left alone") {
  const test::TempDir dir;
  std::vector<rvm::Image> images;
  for (std::size_t i = 0; i < 12; ++i) {
    images.push_back(random_image(20, 24, i));
    rvm::examples::save_png(dir / ("frame" + std::to_string(i) + ".png"), images.back());
  }
  test::write_file(dir / "notes.txt", test::bytes_of("not an image"));
  test::write_file(dir / "._frame0.png", test::bytes_of("hidden, and not an image"));
  std::filesystem::create_directory(dir / "sub.png");
  const auto source = open_source(dir.path());
  CHECK(source->count() == std::size_t{12});
  CHECK_FALSE(source->fps());
  const std::vector<rvm::Image> frames = read_all(*source);
  REQUIRE(frames.size() == 12);
  for (std::size_t i = 0; i < 12; ++i) CHECK(same(frames[i], images[i]));

  const auto one = open_source(dir / "frame3.png");
  CHECK(one->count() == std::size_t{1});
  CHECK(same(read_all(*one).at(0), images[3]));
}

TEST_CASE("images that cannot serve are refused by name") {
  const test::TempDir dir;
  CHECK_THROWS_WITH(open_source(dir.path()), ContainsSubstring("no images"));
  rvm::examples::save_png(dir / "a1.png", random_image(16, 16, 0));
  rvm::examples::save_png(dir / "a2.png", random_image(16, 17, 0));
  const auto source = open_source(dir.path());
  source->next();
  CHECK_THROWS_WITH(source->next(),
                    ContainsSubstring("a2.png") && ContainsSubstring("16x17") && ContainsSubstring("16x16"));
  std::vector<std::byte> bytes = test::read_file(dir / "a1.png");
  bytes.resize(40);
  test::write_file(dir / "broken.png", bytes);
  CHECK_THROWS_WITH(open_source(dir / "broken.png")->next(), ContainsSubstring("broken.png"));
}

TEST_CASE("an array is a video if it is uint8 [T, H, W, 3]") {
  const test::TempDir dir;
  const auto video = test::Random(1).bytes({3, 20, 24, 3});
  rvm::save_npy(dir / "video.npy", video);
  const auto source = open_source(dir / "video.npy");
  CHECK(source->count() == std::size_t{3});
  const std::vector<rvm::Image> frames = read_all(*source);
  REQUIRE(frames.size() == 3);
  CHECK(std::equal(frames[2].bytes().begin(), frames[2].bytes().end(), video[2].begin()));
  rvm::save_npy(dir / "floats.npy", rvm::Tensor<float>({3, 20, 24, 3}));
  rvm::save_npy(dir / "grey.npy", rvm::Tensor<std::uint8_t>({3, 20, 24}));
  CHECK_THROWS_WITH(open_source(dir / "floats.npy"), ContainsSubstring("found float32 (3, 20, 24, 3)"));
  CHECK_THROWS_WITH(open_source(dir / "grey.npy"), ContainsSubstring("found uint8 (3, 20, 24)"));
}

TEST_CASE("frames come in sizes that the model takes") {
  const test::TempDir dir;
  const auto video = test::Random(1).bytes({2, 39, 41, 3});
  rvm::save_npy(dir / "video.npy", video);
  const rvm::FrameView first(video.data(), 39, 41);
  const auto check = [&](std::optional<rvm::examples::FrameSize> asked, std::size_t height, std::size_t width) {
    SizedSource source(dir / "video.npy", asked);
    CHECK(source.size() == rvm::examples::FrameSize{height, width});
    CHECK(source.count() == std::size_t{2});
    const auto frame = source.next();
    REQUIRE(frame);
    CHECK(same(rvm::to_rgb(*frame), rvm::resize(first, height, width)));
    CHECK(source.next());
    CHECK_FALSE(source.next());
    return source.notice();
  };
  CHECK(check(std::nullopt, 32, 48) == "frames of 39x41 are resized to 32x48, multiples of 16");
  CHECK(check(rvm::examples::FrameSize{64, 16}, 64, 16).empty());

  rvm::save_npy(dir / "fits.npy", test::Random(2).bytes({1, 32, 16, 3}));
  CHECK(SizedSource(dir / "fits.npy", std::nullopt).notice().empty());
  rvm::save_npy(dir / "tiny.npy", test::Random(2).bytes({1, 3, 2, 3}));
  CHECK(SizedSource(dir / "tiny.npy", std::nullopt).size() == rvm::examples::FrameSize{16, 16});
  rvm::save_npy(dir / "none.npy", rvm::Tensor<std::uint8_t>({0, 32, 16, 3}));
  CHECK_THROWS_WITH(SizedSource(dir / "none.npy", std::nullopt), ContainsSubstring("none.npy: no frames"));
}

TEST_CASE("sizes are read strictly") {
  using rvm::examples::FrameSize;
  using rvm::examples::parse_frame_size;
  CHECK(parse_frame_size("256x320") == FrameSize{256, 320});
  for (const char* text : {"", "256", "256x", "x256", "256x250", "0x16", "256x256x3", "256X256", " 256x256", "-16x16",
                           "16x16 ", "999999999999999999999x16"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_frame_size(text));
  }
}
