#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <rvm/rvm.hpp>

#include "common/frame_source.hpp"
#include "common/image_source.hpp"
#include "common/montage.hpp"
#include "common/picture.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

namespace {

constexpr std::size_t kGap = rvm::examples::kMontageGap;
const std::string kClip = RVM_EXAMPLES_DATA "/clip.mp4";  // 60 frames of 192x320
const std::string kProgram = std::string(RVM_VISUALIZE) + " --weights " + test::data("weights.npz");

test::ProgramResult visualize(const std::filesystem::path& output, const std::string& arguments = {},
                              const std::string& input = kClip) {
  return test::run_program(kProgram + " --input " + input + " --output " + output.string() + " " + arguments);
}

std::vector<rvm::Image> read_all(const std::filesystem::path& path) {
  const auto source = rvm::examples::open_source(path);
  std::vector<rvm::Image> pictures;
  while (const auto picture = source->next()) pictures.push_back(rvm::to_rgb(*picture));
  return pictures;
}

std::array<std::uint8_t, 3> at(const rvm::Image& image, std::size_t y, std::size_t x) {
  return {image.bytes()(y, x, 0), image.bytes()(y, x, 1), image.bytes()(y, x, 2)};
}

std::set<std::array<std::uint8_t, 3>> colours_of(const rvm::Image& image) {
  std::set<std::array<std::uint8_t, 3>> colours;
  for (std::size_t y = 0; y < image.height(); ++y) {
    for (std::size_t x = 0; x < image.width(); ++x) colours.insert(at(image, y, x));
  }
  return colours;
}

/// Mean difference between the columns [left, left + picture.width()) of `whole` and a picture.
double mean_difference(const rvm::Image& whole, std::size_t left, const rvm::Image& picture) {
  double sum = 0;
  for (std::size_t y = 0; y < picture.height(); ++y) {
    for (std::size_t x = 0; x < picture.width(); ++x) {
      for (std::size_t c = 0; c < 3; ++c) {
        sum += std::abs(int{whole.bytes()(y, left + x, c)} - int{picture.bytes()(y, x, c)});
      }
    }
  }
  return sum / static_cast<double>(picture.bytes().size());
}

}  // namespace

TEST_CASE("visualize draws frames over their colours on a contact sheet") {
  const test::TempDir dir;
  const auto result = visualize(dir / "picture.png", "--columns 3");
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.out, ContainsSubstring("picture.png: 3 pictures of 388x320, from 60 frames"));
  const rvm::Image picture = rvm::examples::load_image(dir / "picture.png");
  REQUIRE(picture.height() == 388);
  REQUIRE(picture.width() == 968);
  CHECK(picture.bytes()(194, 10, 0) == 255);                // the gap
  CHECK(at(picture, 196, 0) == at(picture, 196 + 15, 15));  // one patch, one colour
  CHECK(mean_difference(picture, 0, read_all(kClip)[0]) == 0);
  bool differs = false;
  for (std::size_t x = 0; x < 320; ++x) differs |= at(picture, 300, x) != at(picture, 300, 0);
  CHECK(differs);
}

TEST_CASE("visualize writes a video of frames beside their colours") {
  const test::TempDir dir;
  const auto result = visualize(dir / "film.mp4");
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.out, ContainsSubstring("film.mp4: 60 pictures of 192x644, from 60 frames"));
  const auto source = rvm::examples::open_source(dir / "film.mp4");
  CHECK(*source->fps() == Approx(20));
  const std::vector<rvm::Image> pictures = read_all(dir / "film.mp4");
  const std::vector<rvm::Image> frames = read_all(kClip);
  REQUIRE(pictures.size() == 60);
  int spread = 0;
  for (const std::size_t t : {0U, 15U, 16U, 59U}) {
    CAPTURE(t);
    CHECK(mean_difference(pictures[t], 0, frames[t]) < 4);
    // Colours: the middle of a patch is like all of it, and patches differ.
    for (std::size_t y = 8; y < 192; y += 16) {
      for (std::size_t x = 320 + kGap + 8; x < 644; x += 16) {
        CHECK(std::abs(int{pictures[t].bytes()(y, x, 1)} - int{pictures[t].bytes()(y + 4, x - 4, 1)}) < 16);
        spread = std::max(spread,
                          std::abs(int{pictures[t].bytes()(y, x, 0)} - int{pictures[t].bytes()(8, 320 + kGap + 8, 0)}));
      }
    }
  }
  CHECK(spread > 100);
}

TEST_CASE("visualize sorts features into clusters") {
  const test::TempDir dir;
  REQUIRE(visualize(dir / "clusters", "--mode kmeans --clusters 5").exit_code == 0);
  const std::vector<rvm::Image> pictures = read_all(dir / "clusters");
  REQUIRE(pictures.size() == 60);
  std::set<std::array<std::uint8_t, 3>> colours;
  for (const rvm::Image& picture : pictures) colours.merge(colours_of(picture));
  CHECK(colours.size() == 5);
  CHECK(colours_of(pictures[30]).size() >= 3);
  REQUIRE(visualize(dir / "again", "--mode kmeans --clusters 5").exit_code == 0);
  CHECK(mean_difference(read_all(dir / "again")[59], 0, pictures[59]) == 0);

  REQUIRE(visualize(dir / "mix.png", "--clusters 2 --columns 1").exit_code == 0);
  const rvm::Image sheet = rvm::examples::load_image(dir / "mix.png");
  REQUIRE(sheet.height() == 388);
  std::set<std::array<std::uint8_t, 3>> lower;
  for (std::size_t y = 196; y < 388; ++y) {
    for (std::size_t x = 0; x < 320; ++x) lower.insert(at(sheet, y, x));
  }
  CHECK(lower.size() == 2);
}

TEST_CASE("visualize shows colours or frames alone, however short the video is") {
  const test::TempDir dir;
  const rvm::Tensor<std::uint8_t> video = test::Random(1).bytes({3, 32, 48, 3});
  rvm::save_npy(dir / "video.npy", video);
  const std::string input = (dir / "video.npy").string();
  REQUIRE(visualize(dir / "pca.gif", "--mode pca", input).exit_code == 0);
  const std::vector<rvm::Image> pictures = read_all(dir / "pca.gif");
  REQUIRE(pictures.size() == 3);
  CHECK(pictures[2].width() == 48);
  CHECK(colours_of(pictures[2]).size() == 6);
  REQUIRE(visualize(dir / "frames", "--mode frame", input).exit_code == 0);
  const std::vector<rvm::Image> frames = read_all(dir / "frames");
  REQUIRE(frames.size() == 3);
  CHECK(std::equal(frames[1].bytes().begin(), frames[1].bytes().end(), video[1].begin()));
}

TEST_CASE("a wrong command line for visualize is refused by name") {
  const test::TempDir dir;
  CHECK(visualize(dir / "a.png", "--columns 0").exit_code == 2);
  CHECK(visualize(dir / "a.png", "--mode colours").exit_code == 2);
  CHECK(visualize(dir / "a.png", "--clusters 1").exit_code == 2);
  const auto result = visualize(dir / "a.png", "--mode pca --clusters 3");
  CHECK(result.exit_code == 2);
  CHECK_THAT(result.err, ContainsSubstring("--clusters"));
  CHECK(visualize(dir / "a.avi").exit_code == 1);
  CHECK(visualize(dir / "a.png", "--columns 3", "/no/such/video").exit_code == 1);
  CHECK(dir.empty());
}

TEST_CASE("when a video breaks off, the pictures so far are kept") {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "frames");
  for (int t = 0; t < 6; ++t) {
    const auto pixels = test::Random(static_cast<std::uint64_t>(t)).bytes({t == 5 ? 16U : 32U, 32, 3});
    rvm::examples::save_png(dir / ("frames/" + std::to_string(t) + ".png"),
                            rvm::FrameView(pixels.data(), pixels.shape()[0], 32));
  }
  for (const std::string name : {"film.mp4", "film.gif", "sheet.png", "pictures"}) {
    CAPTURE(name);
    const auto result = visualize(dir / name, "--columns 5", (dir / "frames").string());
    CHECK(result.exit_code == 1);
    CAPTURE(result.err);
    CHECK_THAT(result.err, ContainsSubstring("5.png: is 16x32, while") && ContainsSubstring("kept") &&
                               ContainsSubstring(name + ": 5 pictures of "));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(read_all(dir / name).size() == (name == "sheet.png" ? 1 : 5));
  }
}

TEST_CASE("an interrupted visualize leaves a video that plays") {
  const test::TempDir dir;
  // A video without end, nearly: 4 million black frames in a file with a hole.
  constexpr std::size_t kFrames = 4'000'000;
  rvm::save_npy(dir / "video.npy", rvm::Tensor<std::uint8_t>({1, 16, 16, 3}));
  std::vector<std::byte> header = test::read_file(dir / "video.npy");
  std::string text(reinterpret_cast<const char*>(header.data()), header.size() - 768);
  text.replace(text.find("(1, 16, 16, 3), }      "), 23, "(4000000, 16, 16, 3), }");
  test::write_file(dir / "video.npy", test::bytes_of(text));
  std::filesystem::resize_file(dir / "video.npy", text.size() + kFrames * 768);
  const auto result = test::run_program("timeout --preserve-status -s INT 2 " + kProgram + " --input " +
                                        (dir / "video.npy").string() + " --output " + (dir / "film.mp4").string());
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("visualize: interrupted; kept ") && ContainsSubstring("film.mp4: "));
  const std::size_t at_count = result.err.find("film.mp4: ") + 10;
  CHECK(read_all(dir / "film.mp4").size() == std::stoul(result.err.substr(at_count)));
}

TEST_CASE("a file that may not grow is a clear error, and absent") {
  const test::TempDir dir;
  for (const std::string name : {"film.mp4", "film.gif"}) {
    const auto result = test::run_program("trap '' XFSZ; ulimit -f 40; " + kProgram + " --input " + kClip +
                                          " --output " + (dir / name).string());
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring(name + ": cannot write: File too large; nothing is written"));
  }
  CHECK(dir.empty());
}

TEST_CASE("on a disk that fills up the pictures so far are kept") {
  if (test::run_program("unshare -rm true").exit_code != 0) {
    WARN("not tested: mounting a small disk is not allowed here");
    return;
  }
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "disk");
  std::filesystem::create_directory(dir / "kept");
  const std::string disk = (dir / "disk").string();
  for (const std::string name : {"film.gif", "pictures"}) {
    CAPTURE(name);
    const auto result =
        test::run_program("unshare -rm sh -c 'mount -t tmpfs -o size=3m none " + disk + " && { " + kProgram +
                          " --input " + kClip + " --output " + disk + "/" + name + "; code=$?; cp -r " + disk + "/* " +
                          (dir / "kept").string() + "; exit $code; }'");
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    const std::size_t at_count = result.err.find(name + ": ", result.err.find("kept")) + name.size() + 2;
    REQUIRE(at_count < result.err.size());
    CHECK_THAT(result.err, ContainsSubstring("o space left on"));
    const std::size_t kept = read_all(dir / ("kept/" + name)).size();
    CHECK(kept > 0);
    CHECK(kept < 60);
    CHECK(kept == std::stoul(result.err.substr(at_count)));
  }
}
