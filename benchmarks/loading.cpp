// From a file of weights to a model that is ready: seconds, and the most memory that it took beside what it keeps.
//
//   bench_loading --weights FILE [--precision f32]

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <rvm/backend/cpu.hpp>
#include <rvm/model/model.hpp>
#include <rvm/stream.hpp>
#include <rvm/weights/load.hpp>

#include "common/measure.hpp"

namespace {

// In MB.
double resident() {
  return rvm::bench::resident_kilobytes() / 1024;
}
double most_resident() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

template <class B>
void load(const std::filesystem::path& weights) {
  const double before = resident();
  const auto start = std::chrono::steady_clock::now();
  const rvm::Model<B> model(rvm::load_weights(weights));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double kept = resident() - before;
  std::printf("%.2f s, keeps %.0f MB, took %.0f MB at most (%.2f times)\n", seconds, kept, most_resident() - before,
              (most_resident() - before) / kept);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the loading of a model.", "bench_loading");
  std::filesystem::path weights;
  std::string precision = "f32";
  app.add_option("--weights", weights, "Weights: .npz or .safetensors")->required();
  app.add_option("--precision", precision, "f32, bf16 or int8")->check(CLI::IsMember({"f32", "bf16", "int8"}));
  CLI11_PARSE(app, argc, argv);
  if (precision == "bf16") {
    load<rvm::Cpu<rvm::bfloat16>>(weights);
  } else if (precision == "int8") {
    load<rvm::Cpu<std::int8_t>>(weights);
  } else {
    load<rvm::Cpu<float>>(weights);
  }
  return 0;
}
