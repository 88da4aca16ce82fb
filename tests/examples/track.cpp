// The program track, run as a user runs it, against the library's trackers.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <rvm/rvm.hpp>
#include <rvm/tracking/box_tracker.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/point_tracker.hpp>

#include "common/frame_source.hpp"
#include "common/image_source.hpp"
#include "common/label_png.hpp"
#include "common/picture.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using nlohmann::json;
using rvm::examples::read_label_png;
using rvm::examples::save_label_png;

namespace {

// Not multiples of 16: the model sees frames of another size.
constexpr std::size_t kHeight = 90;
constexpr std::size_t kWidth = 150;
constexpr std::size_t kModelHeight = 96;
constexpr std::size_t kModelWidth = 160;
constexpr std::size_t kFrames = 6;
const std::string kModelSize = " --backend eigen --threads 1 --size 96x160";

/// A textured square on a textured ground, 4 pixels further to the right in every frame.
rvm::Tensor<std::uint8_t> moving_square() {
  const auto ground = test::Random(1).bytes({kHeight / 5, kWidth / 5, 3});
  const auto square = test::Random(2).bytes({8, 8, 3});
  rvm::Tensor<std::uint8_t> video({kFrames, kHeight, kWidth, 3});
  for (std::size_t t = 0; t < kFrames; ++t) {
    for (std::size_t y = 0; y < kHeight; ++y) {
      for (std::size_t x = 0; x < kWidth; ++x) {
        const std::size_t left = 40 + 4 * t;
        const bool inside = y >= 30 && y < 62 && x >= left && x < left + 32;
        for (std::size_t c = 0; c < 3; ++c) {
          video(t, y, x, c) = inside ? square((y - 30) / 4, (x - left) / 4, c) : ground(y / 5, x / 5, c);
        }
      }
    }
  }
  return video;
}

/// The square in the first frame, and half of it in another label.
rvm::LabelImage first_mask() {
  rvm::LabelImage mask({kHeight, kWidth});
  for (std::size_t y = 30; y < 62; ++y) {
    for (std::size_t x = 40; x < 72; ++x) mask(y, x) = y < 46 ? 1 : 5;
  }
  return mask;
}

/// The video as a file, its first mask, and what the model says of each frame.
struct Scene {
  Scene() : video(moving_square()) {
    rvm::save_npy(dir / "video.npy", video);
    save_label_png(dir / "mask.png", first_mask());
  }

  std::string path(const std::string& name) const { return (dir / name).string(); }

  /// Runs track on the video.
  test::ProgramResult track(const std::string& arguments) const {
    return test::run_program(std::string(RVM_TRACK) + " --weights " + test::data("weights.npz") + " --input " +
                             path("video.npy") + kModelSize + " " + arguments);
  }

  std::vector<rvm::Tensor<float>> features() const {
    const rvm::Model model(test::small_weights(), {.threads = 1});
    rvm::Stream stream(model, {.height = kModelHeight, .width = kModelWidth});
    std::vector<rvm::Tensor<float>> out;
    for (const rvm::FrameView& frame : test::frames_of(video)) {
      const auto tokens = stream.step(rvm::resize(frame, kModelHeight, kModelWidth)).tokens();
      out.emplace_back(tokens.shape());
      std::copy(tokens.begin(), tokens.end(), out.back().begin());
    }
    return out;
  }

  test::TempDir dir;
  rvm::Tensor<std::uint8_t> video;
};

json read_json(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

bool same(const rvm::LabelImage& a, const rvm::LabelImage& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::size_t count_files(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

constexpr rvm::PropagationOptions kOneThread{.threads = 1};

}  // namespace

TEST_CASE("track follows a mask as MaskTracker does, in the video's own size") {
  const Scene scene;
  const auto result = scene.track("--mask " + scene.path("mask.png") + " --output-masks " + scene.path("masks") +
                                  " --output-json " + scene.path("out.json"));
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK_THAT(result.out, ContainsSubstring("masks: 6 frames") && ContainsSubstring("out.json: 6 frames"));

  const json found = read_json(scene.path("out.json"));
  CHECK(found.at("height") == kHeight);
  CHECK(found.at("width") == kWidth);
  REQUIRE(found.at("frames").size() == kFrames);
  CHECK(count_files(scene.path("masks")) == kFrames);

  const auto features = scene.features();
  rvm::MaskTracker tracker(features[0], first_mask(), kOneThread);
  for (std::size_t t = 0; t < kFrames; ++t) {
    CAPTURE(t);
    const rvm::LabelImage mask = read_label_png(scene.path("masks/0000" + std::to_string(t) + ".png"));
    const rvm::LabelImage expected = t == 0 ? first_mask() : tracker.step(features[t]);
    CHECK(same(mask, expected));
    std::size_t objects = 0;
    for (const json& object : found.at("frames")[t].at("objects")) {
      const auto label = object.at("label").get<int>();
      CHECK(std::count(mask.begin(), mask.end(), label) == object.at("pixels").get<std::ptrdiff_t>());
      ++objects;
    }
    CHECK(objects == static_cast<std::size_t>(std::count(mask.begin(), mask.end(), 1) > 0) +
                         static_cast<std::size_t>(std::count(mask.begin(), mask.end(), 5) > 0));
  }
  CHECK(found.at("frames")[0].at("objects")[0] == json{{"label", 1}, {"pixels", 512}, {"box", {40, 30, 72, 46}}});
  CHECK(found.at("frames")[0].at("objects")[1] == json{{"label", 5}, {"pixels", 512}, {"box", {40, 46, 72, 62}}});
}

TEST_CASE("track propagates as it is told") {
  const Scene scene;
  const auto result = scene.track("--context 2 --top-k 3 --temperature 0.1 --radius 3 --mask " +
                                  scene.path("mask.png") + " --output-masks " + scene.path("masks/"));
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  const auto features = scene.features();
  const rvm::PropagationOptions options{.context = 2, .temperature = 0.1F, .top_k = 3, .radius = 3, .threads = 1};
  rvm::MaskTracker tracker(features[0], first_mask(), options);
  rvm::MaskTracker other(features[0], first_mask(), kOneThread);
  bool differs = false;
  for (std::size_t t = 1; t < kFrames; ++t) {
    const rvm::LabelImage& expected = tracker.step(features[t]);
    CHECK(same(read_label_png(scene.path("masks/0000" + std::to_string(t) + ".png")), expected));
    differs |= !same(other.step(features[t]), expected);
  }
  CHECK(differs);
}

TEST_CASE("track follows points as PointTracker does, from where they were given") {
  const Scene scene;
  const std::vector<rvm::Point> points{{56, 46}, {3, 88.5}, {149, 0}};
  const std::string given = "--point 56,46 --point 3,88.5 --point 149,0";
  REQUIRE(scene.track(given + " --output-json " + scene.path("out.json")).exit_code == 0);
  const json found = read_json(scene.path("out.json"));
  REQUIRE(found.at("frames").size() == kFrames);

  const auto features = scene.features();
  rvm::PointTracker tracker(features[0], points, kHeight, kWidth, kOneThread);
  const std::vector<rvm::Point> first(tracker.points().begin(), tracker.points().end());
  for (std::size_t t = 0; t < kFrames; ++t) {
    CAPTURE(t);
    const json& list = found.at("frames")[t].at("points");
    REQUIRE(list.size() == points.size());
    if (t > 0) tracker.step(features[t]);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const rvm::Point point = t == 0 ? first[i] : tracker.points()[i];
      REQUIRE(list[i].is_null() == !point.visible());
      if (list[i].is_null()) continue;
      const double x = static_cast<double>(point.x - first[i].x + points[i].x);
      const double y = static_cast<double>(point.y - first[i].y + points[i].y);
      CHECK(list[i][0].get<double>() == Approx(std::clamp(x, 0.0, double{kWidth})).margin(2e-3));
      CHECK(list[i][1].get<double>() == Approx(std::clamp(y, 0.0, double{kHeight})).margin(2e-3));
    }
  }
  CHECK(found.at("frames")[0].at("points") == json{{56.0, 46.0}, {3.0, 88.5}, {149.0, 0.0}});

  // The same from JSON: an object, a list, what track itself has written; and a point that is not seen.
  const auto again = [&](const json& content, const json& expected) {
    std::ofstream(scene.path("in.json")) << content;
    CAPTURE(content.dump());
    const auto result =
        scene.track("--keypoints " + scene.path("in.json") + " --output-json " + scene.path("again.json"));
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(read_json(scene.path("again.json")).at("frames") == expected);
  };
  const json list{{56, 46}, {3, 88.5}, {149, 0}};
  again({{"points", list}}, found.at("frames"));
  again(list, found.at("frames"));
  again(found, found.at("frames"));
  json with_null = found.at("frames");
  for (json& frame : with_null) frame["points"].push_back(nullptr);
  again(json{{56, 46}, {3, 88.5}, {149, 0}, nullptr}, with_null);
}

TEST_CASE("track follows boxes as BoxTracker does") {
  const Scene scene;
  const std::vector<rvm::Box> boxes{{40, 30, 72, 62}, {0, 0, 150, 20.5}};
  REQUIRE(scene.track("--box 40,30,72,62 --box 0,0,150,20.5 --output-json " + scene.path("out.json")).exit_code == 0);
  const json found = read_json(scene.path("out.json"));
  REQUIRE(found.at("frames").size() == kFrames);
  CHECK(found.at("frames")[0].at("boxes") == json{{40.0, 30.0, 72.0, 62.0}, {0.0, 0.0, 150.0, 20.5}});
  const auto features = scene.features();
  rvm::BoxTracker tracker(features[0], boxes, kHeight, kWidth, kOneThread);
  for (std::size_t t = 1; t < kFrames; ++t) {
    const auto expected = tracker.step(features[t]);
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      const json& box = found.at("frames")[t].at("boxes")[i];
      REQUIRE(box.is_null() == !expected[i].visible());
      if (box.is_null()) continue;
      CHECK(box[0].get<double>() == Approx(static_cast<double>(expected[i].left)).margin(1e-3));
      CHECK(box[3].get<double>() == Approx(static_cast<double>(expected[i].bottom)).margin(1e-3));
    }
  }
}

TEST_CASE("track draws on the video what it follows") {
  const Scene scene;
  const auto draws = [&](const std::string& what) {
    fs::remove_all(scene.path("pictures"));
    const auto result = scene.track(what + " --output-video " + scene.path("pictures/"));
    CAPTURE(what, result.err);
    REQUIRE(result.exit_code == 0);
    const auto source = rvm::examples::open_source(scene.path("pictures"));
    REQUIRE(source->count() == kFrames);
    const rvm::Image first = rvm::to_rgb(*source->next());
    REQUIRE(first.height() == kHeight);
    REQUIRE(first.width() == kWidth);
    // Where the first frame's pixels differ from the video's.
    rvm::LabelImage drawn({kHeight, kWidth});
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      drawn.data()[i] =
          std::equal(first.bytes().data() + 3 * i, first.bytes().data() + 3 * i + 3, scene.video.data() + 3 * i) ? 0
                                                                                                                 : 1;
    }
    return drawn;
  };
  rvm::LabelImage drawn = draws("--mask " + scene.path("mask.png"));
  const rvm::LabelImage mask = first_mask();
  for (std::size_t i = 0; i < mask.size(); ++i) REQUIRE((mask.data()[i] != 0 || drawn.data()[i] == 0));
  CHECK(std::count(drawn.begin(), drawn.end(), 1) > 900);

  drawn = draws("--point 56,46");
  CHECK(drawn(46, 56) == 1);
  CHECK(std::count(drawn.begin(), drawn.end(), 1) < 100);

  drawn = draws("--box 40,30,72,62");
  CHECK(drawn(30, 56) == 1);
  CHECK(drawn(46, 40) == 1);
  CHECK(drawn(46, 56) == 0);
}

TEST_CASE("track says in one line what is wrong with what it shall follow") {
  const Scene scene;
  const auto fails = [&](const std::string& what, const std::string& reason) {
    const auto result = scene.track(what + " --output-json " + scene.path("out.json"));
    CAPTURE(what, result.err);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring("track: ") && ContainsSubstring(reason));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK_FALSE(fs::exists(scene.path("out.json")));
  };
  save_label_png(scene.path("large.png"), rvm::LabelImage({kModelHeight, kModelWidth}));
  fails("--mask " + scene.path("large.png"), "large.png: the mask is 96x160, while the frame is 90x150");
  save_label_png(scene.path("empty.png"), rvm::LabelImage({kHeight, kWidth}));
  fails("--mask " + scene.path("empty.png"), "empty.png: no objects in it");
  fs::copy(scene.path("mask.png"), scene.path("cut.png"));
  fs::resize_file(scene.path("cut.png"), fs::file_size(scene.path("cut.png")) - 20);
  fails("--mask " + scene.path("cut.png"), "cut.png: cannot be read as a PNG: ");
  fails("--mask " + test::data("labels/rgb8.png"), "found 8-bit RGB");
  fails("--mask " + scene.path("none.png"), "none.png: cannot open: No such file");

  fails("--point 150,10", "point (150, 10) is outside of the frames, which are 90x150");
  fails("--point 10,90", "point (10, 90) is outside");
  fails("--point 10,-1", "point (10, -1) is outside");
  fails("--point nan,10", "point (nan, 10) is outside");
  fails("--box 10,10,10,20", "box (10, 10, 10, 20) has no area");
  fails("--box 10,10,151,20", "box (10, 10, 151, 20) reaches out of the frames");

  const auto keypoints_fail = [&](const std::string& content, const std::string& reason) {
    std::ofstream(scene.path("in.json")) << content;
    fails("--keypoints " + scene.path("in.json"), reason);
  };
  for (const char* const content : {"", "{", "[[1, 2]"}) {
    keypoints_fail(content, "in.json: expected JSON, found none at byte");
  }
  keypoints_fail(std::string(100'000, '['), "in.json: expected JSON of at most 16 levels, found more");
  keypoints_fail("{\"points\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}",
                 "in.json: expected JSON of at most 16 levels, found more");
  for (const char* const content : {"3", "[]", "{\"points\": 3}", "{\"points\": [[1, 2], [3]]}", "[[1, \"a\"]]",
                                    "{\"frames\": []}", "{\"boxes\": [[1, 2, 3, 4]]}", "[{}]"}) {
    keypoints_fail(content, "in.json: expected JSON {\"points\": [[x, y], ...]}");
  }
  keypoints_fail("[[1, 2], [10, 200]]", "point (10, 200) is outside");
  keypoints_fail("[null, null]", "there are no points to track");

  CHECK(scene.track("--point 10,10 --output-json " + scene.path("no/out.json")).exit_code == 1);
  fs::create_directory(scene.path("masks"));
  fs::copy(scene.path("mask.png"), scene.path("masks/old.png"));
  const auto result = scene.track("--mask " + scene.path("mask.png") + " --output-masks " + scene.path("masks"));
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("masks: holds pictures already, such as old.png"));
}

TEST_CASE("a wrong command line of track is exit code 2") {
  const auto refuses = [](const std::string& arguments, const std::string& reason) {
    const auto result = test::run_program(std::string(RVM_TRACK) + " --weights x --input y " + arguments);
    CAPTURE(arguments, result.err);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.err, ContainsSubstring(reason));
  };
  refuses("--point 1,2", "--output-json");
  refuses("--output-json x", "--point");
  refuses("--point 1,2 --mask m --output-json x", "--mask");
  refuses("--point 1,2 --output-masks x", "--output-masks requires --mask");
  refuses("--point 1 --output-json x", "expected X,Y, found 1");
  refuses("--point 1,2,3 --output-json x", "expected X,Y, found 1,2,3");
  refuses("--point a,b --output-json x", "expected X,Y, found a,b");
  refuses("--box 1,2,3 --output-json x", "expected LEFT,TOP,RIGHT,BOTTOM, found 1,2,3");
  refuses("--point 1,2 --output-json x --radius 0", "--radius");
}

TEST_CASE("track keeps what it has when the video changes its size") {
  const Scene scene;
  fs::create_directory(scene.path("frames"));
  const auto frames = test::frames_of(scene.video);
  for (std::size_t t = 0; t < 3; ++t) {
    rvm::examples::save_png(scene.path("frames/" + std::to_string(t) + ".png"), frames[t]);
  }
  rvm::examples::save_png(scene.path("frames/3.png"), rvm::resize(frames[3], kHeight, kWidth - 1));
  const auto result = test::run_program(
      std::string(RVM_TRACK) + " --weights " + test::data("weights.npz") + " --input " + scene.path("frames") +
      kModelSize + " --mask " + scene.path("mask.png") + " --output-masks " + scene.path("masks") + " --output-json " +
      scene.path("out.json") + " --output-video " + scene.path("sheet.png"));
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("frames/3.png: is 90x149, while the images before it are 90x150") &&
                             ContainsSubstring("; kept ") && ContainsSubstring("masks: 3 frames") &&
                             ContainsSubstring("out.json: 3 frames") && ContainsSubstring("sheet.png: 3 pictures"));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  CHECK(count_files(scene.path("masks")) == 3);
  CHECK(read_json(scene.path("out.json")).at("frames").size() == 3);
  CHECK(rvm::examples::load_image(scene.path("sheet.png")).height() == kHeight);
}

TEST_CASE("track keeps what it has when a video ends early") {
  const test::TempDir dir;
  std::vector<std::byte> bytes = test::read_file(RVM_EXAMPLES_DATA "/clip.mp4");
  // Damage from the middle on; the index, at the end, stays.
  for (std::size_t i = bytes.size() / 2; i < bytes.size() * 9 / 10; ++i) bytes[i] = std::byte{0x5a};
  test::write_file(dir / "clip.mp4", bytes);
  const auto result = test::run_program(std::string(RVM_TRACK) + " --weights " + test::data("weights.npz") +
                                        " --input " + (dir / "clip.mp4").string() +
                                        " --size 64x96 --point 100,80 --output-json " + (dir / "out.json").string());
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("track: ") && ContainsSubstring("clip.mp4: "));
  const json found = read_json(dir / "out.json");
  CHECK(found.at("frames").size() >= 10);
  CHECK(found.at("height") == 192);
}

TEST_CASE("track keeps what it has when it can write no more") {
  // As on a full disk, but for the reason: no file may be longer than a few thousand bytes. Noise takes more.
  Scene scene;
  std::fill_n(scene.video.data(), 3 * kHeight * kWidth * 3, std::uint8_t{90});
  const auto noise = test::Random(5).bytes({kHeight, kWidth, 3});
  std::copy(noise.begin(), noise.end(), scene.video[3].begin());
  rvm::save_npy(scene.path("video.npy"), scene.video);
  const auto result =
      test::run_program("(trap '' XFSZ; ulimit -f 8; " + std::string(RVM_TRACK) + " --weights " +
                        test::data("weights.npz") + " --input " + scene.path("video.npy") + kModelSize + " --mask " +
                        scene.path("mask.png") + " --output-masks " + scene.path("masks") + " --output-json " +
                        scene.path("out.json") + " --output-video " + scene.path("video/") + ")");
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("video/000003.png: cannot write: File too large; kept ") &&
                             ContainsSubstring("masks: 4 frames") && ContainsSubstring("out.json: 4 frames") &&
                             ContainsSubstring("3 pictures"));
  CHECK(count_files(scene.path("masks")) == 4);
  CHECK(count_files(scene.path("video")) == 3);
  CHECK(read_json(scene.path("out.json")).at("frames").size() == 4);
}

TEST_CASE("track keeps what it has when it is interrupted") {
  const test::TempDir dir;
  save_label_png(dir / "mask.png", [] {
    rvm::LabelImage mask({192, 320});
    std::fill_n(mask.data() + 40 * 320, 40 * 320, std::uint8_t{1});
    return mask;
  }());
  const std::string masks = (dir / "masks").string();
  const auto result = test::run_program(
      "(" + std::string(RVM_TRACK) + " --weights " + test::data("weights.npz") +
      " --input " RVM_EXAMPLES_DATA "/clip.mp4 --size 480x800 --mask " + (dir / "mask.png").string() +
      " --output-masks " + masks + " --output-json " + (dir / "out.json").string() + " & program=$!; until [ -e " +
      masks + "/00003.png ] || ! kill -0 $program; do sleep 0.01; done; kill -INT $program; wait $program)");
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("track: interrupted; kept "));
  const std::size_t kept = count_files(masks);
  CHECK(kept >= 4);
  CHECK(kept < 60);
  CHECK(read_json(dir / "out.json").at("frames").size() == kept);
}
