#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <rvm/rvm.hpp>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

namespace {

const std::string kProgram = RVM_EXTRACT_FEATURES;
const std::string kClip = RVM_EXAMPLES_DATA "/clip.mp4";

test::ProgramResult extract(const std::string& arguments) {
  return test::run_program(kProgram + " --weights " + test::data("weights.npz") + " " + arguments);
}

std::size_t files_in(const test::TempDir& dir) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path())) ++count;
  return count;
}

}  // namespace

TEST_CASE("extract_features writes the authors' features") {
  const test::TempDir dir;
  const test::Clip clip("features_96x160.npz");
  rvm::save_npy(dir / "video.npy", clip.video);
  const auto result = extract("--input " + (dir / "video.npy").string() + " --output " + (dir / "out.npy").string());
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, ContainsSubstring("out.npy: float32 " + to_string(clip.features.shape())));
  const rvm::Tensor<float> features = rvm::load_npy<float>(dir / "out.npy");
  CHECK(features.shape() == clip.features.shape());
  CHECK(test::difference(features, clip.features) < 2e-5);
}

TEST_CASE("extract_features computes where and in what it is told") {
  const test::TempDir dir;
  const test::Clip clip("features_96x160.npz");
  rvm::save_npy(dir / "video.npy", clip.video);
  const auto error = [&](const std::string& arguments) {
    const auto result = extract("--input " + (dir / "video.npy").string() + " --output " + (dir / "out.npy").string() +
                                " " + arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    return test::difference(rvm::load_npy<float>(dir / "out.npy"), clip.features);
  };
  const double eigen = error("--backend eigen");
  const double cpu = error("--backend cpu");
  const double reduced = error("--backend cpu --precision bf16");
  const double bytes = error("--backend cpu --precision int8");
  CHECK(bytes > reduced);
  CHECK(bytes < 0.5);
  CHECK(eigen < 2e-5);
  CHECK(cpu < 2e-5);
  CHECK(cpu != eigen);
  CHECK(reduced > 1e-3);
  CHECK(reduced < 5e-2);
#ifdef RVM_PROGRAM_CUDA
  for (const std::string precision : {"f32", "bf16", "f16"}) {
    const auto result = extract("--input " + (dir / "video.npy").string() + " --output " + (dir / "gpu.npy").string() +
                                " --backend cuda --precision " + precision);
    CAPTURE(precision, result.err);
    if (result.exit_code == 0) {
      CHECK(test::difference(rvm::load_npy<float>(dir / "gpu.npy"), clip.features) <
            (precision == "f32" ? 2e-5 : 5e-2));
    } else {
      CHECK_THAT(result.err, ContainsSubstring("there is no CUDA device"));
    }
  }
#endif
}

TEST_CASE("extract_features reads a video and resizes it as told") {
  const test::TempDir dir;
  const std::string out = (dir / "out.npy").string();
  REQUIRE(extract("--input " + kClip + " --output " + out + " --threads 1").exit_code == 0);
  const rvm::Tensor<float> plain = rvm::load_npy<float>(out);
  CHECK(plain.shape() == rvm::Shape{60, 241, 48});
  REQUIRE(extract("--input " + kClip + " --output " + out + " --threads 2").exit_code == 0);
  CHECK(test::difference(rvm::load_npy<float>(out), plain) < 1e-5);

  const auto result = extract("--input " + kClip + " --output " + out + " --size 64x48");
  CHECK(result.exit_code == 0);
  CHECK(result.err.find("resized") == std::string::npos);
  CHECK(rvm::load_npy<float>(out).shape() == rvm::Shape{60, 13, 48});
}

TEST_CASE("extract_features says when it resizes unasked") {
  const test::TempDir dir;
  rvm::save_npy(dir / "video.npy", test::Random(1).bytes({1, 39, 41, 3}));
  const auto result = extract("--input " + (dir / "video.npy").string() + " --output " + (dir / "out.npy").string());
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("39x41 are resized to 32x48"));
  CHECK(rvm::load_npy<float>(dir / "out.npy").shape() == rvm::Shape{1, 7, 48});
}

TEST_CASE("a failure is one clear line, exit code 1, and no file") {
  const test::TempDir dir;
  const std::string out = (dir / "out.npy").string();
  const auto fails = [&](const std::string& arguments, const std::string& reason) {
    const auto result = extract(arguments);
    CAPTURE(arguments, result.err);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring("extract_features: ") && ContainsSubstring(reason));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  };
  fails("--input /no/such/file --output " + out, "/no/such/file: No such file");
  fails("--input " + kClip + " --output /no/such/dir/out.npy", "/no/such/dir/out.npy: cannot create");
  fails("--input " + test::data("weights.npz") + " --output " + out, "weights.npz");
  CHECK(files_in(dir) == 0);

  // Fails in the middle: the second image has another size.
  const auto pixels = test::Random(1).bytes({16, 16, 3});
  std::filesystem::create_directory(dir / "frames");
  const auto ppm = [&](const std::string& name, const std::string& size, std::size_t bytes) {
    std::vector<std::byte> file = test::bytes_of("P6 " + size + " 255\n");
    for (std::size_t i = 0; i < bytes; ++i) file.push_back(static_cast<std::byte>(pixels.data()[i]));
    test::write_file(dir / ("frames/" + name), file);
  };
  ppm("1.ppm", "16 16", 768);
  ppm("2.ppm", "16 8", 384);
  fails("--input " + (dir / "frames").string() + " --output " + out, "2.ppm");
  CHECK(files_in(dir) == 1);

  const auto result = test::run_program(kProgram + " --weights " + kClip + " --input " + kClip + " --output " + out);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, ContainsSubstring("clip.mp4: expected a .npz or safetensors file"));
}

TEST_CASE("a wrong command line is exit code 2, and what the build lacks is named") {
  const auto refuses = [&](const std::string& arguments, const std::string& reason) {
    const auto result = extract("--input x --output y " + arguments);
    CAPTURE(arguments);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.err, ContainsSubstring(reason));
  };
  refuses("--size 100x100", "multiples of 16");
  refuses("--backend tpu", "tpu");
  refuses("--precision fp8", "fp8");
  refuses("--precision f16", "f16 needs the backend cuda");
  refuses("--backend eigen --precision bf16", "bf16 needs the backend cpu or cuda");
  refuses("--backend eigen --precision int8", "int8 needs the backend cpu");
#ifdef RVM_PROGRAM_CUDA
  refuses("--backend cuda --precision int8", "int8 needs the backend cpu");
#else
  refuses("--backend cuda", "needs a build with CUDA");
#endif
  refuses("--threads -1", "--threads");
  refuses("--unknown", "--unknown");
  CHECK(test::run_program(kProgram).exit_code == 2);
  const auto help = test::run_program(kProgram + " --help");
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, ContainsSubstring("--weights FILE") && ContainsSubstring("extract_features --weights"));
}
