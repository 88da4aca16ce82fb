// Writes a weight file of random numbers in the layout of the published checkpoints: for benchmarks and for trying
// things out. Features made with it mean nothing.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <rvm/model/random.hpp>
#include <rvm/weights/npz.hpp>

#include "common/program.hpp"

int main(int argc, char** argv) {
  CLI::App app(
      "Writes random weights in the layout of the published checkpoints. Features made with them mean nothing.");
  std::string variant = "S";
  std::uint64_t seed = 0;
  std::filesystem::path output;
  app.add_option("--variant", variant, "The size: S (270 MB), B (641 MB), L (1.6 GB) or H (3.1 GB)")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"S", "B", "L", "H"}));
  app.add_option("--seed", seed, "The same seed gives the same weights on every machine")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--output", output, "Where they go: .npz")->type_name("FILE")->required();
  return rvm::examples::run_program(app, argc, argv, [&] {
    const rvm::Weights weights = rvm::random_weights(rvm::Config::variant(variant), seed);
    rvm::save_npz(output, weights);
    std::printf("%s: %zu arrays, random weights of size %s\n", output.c_str(), weights.size(), variant.c_str());
  });
}
