// The smaller programs, run as a user runs them.

#include <string>

#include <rvm/rvm.hpp>

#include "common/image_source.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

TEST_CASE("visualize draws frames over their colours") {
  const test::TempDir dir;
  const std::string out = (dir / "picture.png").string();
  const auto result = test::run_program(std::string(RVM_VISUALIZE) + " --weights " + test::data("weights.npz") +
                                        " --input " RVM_EXAMPLES_DATA "/clip.mp4 --output " + out + " --columns 3");
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.out, ContainsSubstring("388x968 pixels, 3 of 60 frames"));
  const rvm::Image picture = rvm::examples::load_image(out);
  REQUIRE(picture.height() == 388);
  REQUIRE(picture.width() == 968);
  CHECK(picture.bytes()(194, 10, 0) == 255);                              // the gap
  CHECK(picture.bytes()(196, 0, 1) == picture.bytes()(196 + 15, 15, 1));  // one patch, one colour
  bool differs = false;
  for (std::size_t x = 0; x < 320; ++x) differs |= picture.bytes()(300, x, 0) != picture.bytes()(300, 0, 0);
  CHECK(differs);
  CHECK(test::run_program(std::string(RVM_VISUALIZE) + " --weights x --input y --output " + out).exit_code == 1);
  CHECK(test::run_program(std::string(RVM_VISUALIZE) + " --columns 0").exit_code == 2);
}

TEST_CASE("random_weights writes a checkpoint of the published layout") {
  const test::TempDir dir;
  const std::string out = (dir / "w.npz").string();
  const auto result = test::run_program(std::string(RVM_RANDOM_WEIGHTS) + " --seed 1 --output " + out);
  CHECK(result.exit_code == 0);
  const rvm::Weights weights = rvm::load_weights(out);
  const rvm::WeightReader reader(weights);
  rvm::Config config = rvm::read_config(reader);
  config.decoder = rvm::read_decoder_config(reader);
  CHECK(config == rvm::Config::variant("S"));
  CHECK(rvm::unknown_keys(weights).empty());
  CHECK(test::run_program(std::string(RVM_RANDOM_WEIGHTS) + " --variant Q --output x").exit_code == 2);
}
