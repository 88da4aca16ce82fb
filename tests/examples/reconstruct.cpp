#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/rvm.hpp>

#include "common/image_source.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

namespace {

constexpr std::size_t kHeight = 96;
constexpr std::size_t kWidth = 160;
constexpr std::size_t kGap = 4;

test::ProgramResult reconstruct(const std::string& arguments, const std::string& weights = test::data("weights.npz")) {
  return test::run_program(std::string(RVM_RECONSTRUCT) + " --weights " + weights + " " + arguments);
}

/// A video of three frames and two more as .npy, and where a picture of it goes.
struct Bench {
  Bench() {
    const rvm::Weights file = rvm::load_npz(test::data("reconstruct_96x160.npz"));
    const auto first = file.at("source").as<std::uint8_t>();
    const auto rest = file.at("target").as<std::uint8_t>();
    video = rvm::Tensor<std::uint8_t>({5, kHeight, kWidth, 3});
    std::copy(rest.begin(), rest.end(), std::copy(first.begin(), first.end(), video.begin()));
    rvm::save_npy(dir / "video.npy", video);
  }
  std::string arguments() const { return "--input " + (dir / "video.npy").string() + " --output " + output(); }
  std::string output() const { return (dir / "picture.png").string(); }

  test::TempDir dir;
  rvm::Tensor<std::uint8_t> video;
};

/// The n-th picture of the row, or the n-th from the right.
rvm::Image panel(const rvm::Image& row, int n) {
  const std::size_t count = (row.width() + kGap) / (kWidth + kGap);
  const std::size_t left =
      (n < 0 ? count - static_cast<std::size_t>(-n) : static_cast<std::size_t>(n)) * (kWidth + kGap);
  rvm::Image out(kHeight, kWidth);
  for (std::size_t y = 0; y < kHeight; ++y) std::copy_n(&row.bytes()(y, left, 0), kWidth * 3, out.bytes()[y].begin());
  return out;
}

bool same(const rvm::Image& image, rvm::TensorView<const std::uint8_t> frame) {
  return std::equal(frame.begin(), frame.end(), image.bytes().begin(), image.bytes().end());
}

}  // namespace

TEST_CASE("reconstruct draws source, masked target, reconstruction and target") {
  const Bench bench;
  const auto result = reconstruct(bench.arguments() + " --source 0,2 --target 4 --ratio 0.9 --seed 3");
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK_THAT(result.out, ContainsSubstring("picture.png: 96x816 pixels, 6 of 60 patches shown, mean squared error "));

  const rvm::Image row = rvm::examples::load_image(bench.output());
  REQUIRE(row.height() == kHeight);
  REQUIRE(row.width() == 5 * kWidth + 4 * kGap);
  CHECK(row.bytes()(50, kWidth, 1) == 255);
  CHECK(same(panel(row, 0), bench.video[0]));
  CHECK(same(panel(row, 1), bench.video[2]));
  CHECK(same(panel(row, -1), bench.video[4]));

  const std::vector<std::size_t> visible = rvm::draw_visible(60, 0.9, 3);
  const rvm::Image masked = panel(row, 2);
  std::size_t wrong = 0;
  for (std::size_t y = 0; y < kHeight; ++y) {
    for (std::size_t x = 0; x < kWidth; ++x) {
      const bool shown = std::count(visible.begin(), visible.end(), y / 16 * 10 + x / 16) != 0;
      wrong += masked.bytes()(y, x, 1) != (shown ? bench.video(4, y, x, 1) : 128);
    }
  }
  CHECK(wrong == 0);

  const rvm::Weights weights = test::small_weights();
  const rvm::Model model(weights);
  const rvm::Decoder decoder(model, weights);
  const std::vector<rvm::FrameView> frames = test::frames_of(bench.video);
  const std::vector<rvm::FrameView> source{frames[0], frames[2]};
  const rvm::MaskedFrame target{frames[4], 2, visible};
  const rvm::Tensor<float> pixels = reconstruct(decoder, source, std::span(&target, 1));
  const rvm::Image filled = panel(row, 3);
  double squares = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double off = double{pixels.data()[i]} - bench.video[4].data()[i] / 255.0;
    squares += off * off;
    const float byte = std::clamp(pixels.data()[i], 0.0F, 1.0F) * 255.0F;
    wrong += std::abs(byte - static_cast<float>(filled.bytes().data()[i])) > 0.51F;
  }
  CHECK(wrong == 0);
  const std::size_t at = result.out.find("error ") + 6;
  CHECK(std::stod(result.out.substr(at)) == Approx(squares / static_cast<double>(pixels.size())).margin(6e-5));
}

TEST_CASE("reconstruct follows the seed, and hides all or nothing") {
  const Bench bench;
  const auto picture = [&](const std::string& more) {
    const auto result = reconstruct(bench.arguments() + " --source 0-2 --target 3 --threads 1 " + more);
    CAPTURE(more, result.err);
    REQUIRE(result.exit_code == 0);
    return std::pair(test::read_file(bench.output()), result.out);
  };
  const auto first = picture("--seed 1");
  CHECK(picture("--seed 1 --ratio 0.95") == first);
  CHECK(picture("--seed 2").first != first.first);
  CHECK_THAT(first.second, ContainsSubstring(" 3 of 60 patches shown"));
  CHECK_THAT(picture("--ratio 1").second, ContainsSubstring(" 0 of 60 patches shown"));
  CHECK_THAT(picture("--ratio 0").second, ContainsSubstring(" 60 of 60 patches shown"));
}

TEST_CASE("reconstruct reads videos and single images, resized as told") {
  const test::TempDir dir;
  const std::string out = (dir / "picture.png").string();
  const auto video =
      reconstruct("--input " RVM_EXAMPLES_DATA "/clip.mp4 --source 2 --target 40 --size 64x80 --output " + out);
  CHECK(video.exit_code == 0);
  CHECK_THAT(video.out, ContainsSubstring("64x332 pixels, 1 of 20 patches shown"));
  const auto image = reconstruct("--input " + out + " --source 0 --target 0 --output " + out);
  CHECK(image.exit_code == 0);
  CHECK_THAT(image.err, ContainsSubstring("64x332 are resized to 64x336"));
  CHECK_THAT(image.out, ContainsSubstring("64x1356 pixels"));
}

#ifdef RVM_PROGRAM_ONEDNN
TEST_CASE("reconstruct computes where and in what it is told") {
  const Bench bench;
  const auto filled = [&](const std::string& more) {
    const auto result = reconstruct(bench.arguments() + " --source 0-2 --target 3 " + more);
    CAPTURE(more, result.err);
    REQUIRE(result.exit_code == 0);
    return panel(rvm::examples::load_image(bench.output()), -2);
  };
  const rvm::Image exact = filled("--backend eigen");
  for (const char* other : {"--precision f32", "--precision bf16", "--precision int8"}) {
    const rvm::Image image = filled(other);
    double off = 0;
    for (std::size_t i = 0; i < image.bytes().size(); ++i)
      off += std::abs(image.bytes().data()[i] - exact.bytes().data()[i]);
    CAPTURE(other);
    CHECK(off / static_cast<double>(image.bytes().size()) < 3);
  }
}
#endif

TEST_CASE("reconstruct fails with one clear line and leaves no file") {
  const Bench bench;
  const auto fails = [&](const test::ProgramResult& result, const std::string& reason) {
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring("reconstruct: ") && ContainsSubstring(reason));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK_FALSE(std::filesystem::exists(bench.output()));
  };
  const std::string frames = " --source 0-2 --target 3";
  fails(reconstruct(bench.arguments() + " --source 0-2 --target 5"),
        "video.npy: expected at least 6 frames, to reconstruct frame 5, found 5");
  fails(reconstruct("--input /no/such/file --output " + bench.output() + frames), "/no/such/file: No such file");
  fails(reconstruct("--input " + (bench.dir / "video.npy").string() + " --output /no/such/dir/x.png" + frames),
        "/no/such/dir/x.png: cannot create");

  std::vector<std::pair<std::string, rvm::Tensor<float>>> arrays;
  const rvm::Weights weights = test::small_weights();
  for (const std::string& key : weights.keys()) {
    if (!key.starts_with("decoder")) arrays.emplace_back(key, weights.at(key).as<float>());
  }
  const std::string stripped = (bench.dir / "stripped.npz").string();
  rvm::save_npz(stripped, rvm::Weights::from_tensors("stripped", std::move(arrays)));
  fails(reconstruct(bench.arguments() + frames, stripped), "stripped.npz: decoder/xa_blocks_0: expected the arrays of");
}

TEST_CASE("reconstruct refuses a wrong command line") {
  const auto refuses = [&](const std::string& arguments, const std::string& reason) {
    const auto result = reconstruct("--input x --output y " + arguments);
    CAPTURE(arguments, result.err);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.err, ContainsSubstring(reason));
  };
  refuses("--source 0-3", "--target is required");
  refuses("--target 3", "--source is required");
  refuses("--source 0-3 --target 2",
          "--target: expected one of frames 3 to 66, as the last source frame is 3, found 2");
  refuses("--source 0,4 --target 68", "frames 4 to 67");
  refuses("--source 0 --target 3 --ratio 95", "--ratio");
  refuses("--source 0 --target 3 --precision fp8", "fp8");
  for (const char* source : {"3-0", "0,0", "4,2", "0,", ",0", "-1", "a", "0-", "1.5", "0-64", "0-60,70-73", "0 1",
                             "99999999999999999999", "0-18446744073709551615"}) {
    refuses("--target 3 --source '" + std::string(source) + "'", "--source: expected up to 64 frame numbers");
  }
  const auto help = test::run_program(std::string(RVM_RECONSTRUCT) + " --help");
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, ContainsSubstring("--source FRAMES") && ContainsSubstring("reconstruct --weights"));
}
