// The smaller programs, run as a user runs them.

#include <string>

#include <rvm/rvm.hpp>

#include "support/catch.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

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

TEST_CASE("soak finds nothing that creeps in a short run") {
  // Told so, AddressSanitizer keeps nothing of what is freed.
  const auto result = test::run_program("ASAN_OPTIONS=quarantine_size_mb=0 " + std::string(RVM_SOAK) +
                                        " --frames 2100 --round 150 --untimed --precision bf16 --threads 2");
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, ContainsSubstring("75/75"));
  CHECK(test::run_program(std::string(RVM_SOAK) + " --frames 10 --round 20").exit_code == 1);
}
