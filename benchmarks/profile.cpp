// Where a step's time goes: every kind of operation, its time a frame, its rate and its share.
//
//   bench_profile [--variant S] [--precision f32] [--size HxW] [--frames N] [--threads N]

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/backend/cpu.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "common/sized_source.hpp"
#include "common/timed.hpp"

namespace {

struct Options {
  std::string variant = "S";
  std::string precision = "f32";
  rvm::examples::FrameSize size{256, 256};
  std::size_t frames = 30;
  std::size_t threads = 0;
};

template <class B>
void profile(const Options& options) {
  rvm::Config config = rvm::Config::variant(options.variant);
  config.decoder.reset();
  const rvm::Model<rvm::bench::Timed<B>> model(rvm::random_weights(config), {.threads = options.threads, .isa = {}});
  rvm::Stream stream(model, {.height = options.size.height, .width = options.size.width});
  const std::vector<std::uint8_t> pixels(options.size.height * options.size.width * 3, 100);
  const rvm::FrameView frame(pixels.data(), options.size.height, options.size.width);
  for (int i = 0; i < 3; ++i) stream.step(frame);
  rvm::bench::stages().clear();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < options.frames; ++i) stream.step(frame);
  const auto frames = static_cast<double>(options.frames);
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / frames;
  std::printf(
      "%s, %s, %s: %.1f ms a frame\n\n| stage | calls a frame | ms a frame | GFLOP/s | share "
      "|\n|---|---|---|---|---|\n",
      options.variant.c_str(), options.precision.c_str(), to_string(options.size).c_str(), 1e3 * whole);
  double products = 0;
  double attention = 0;
  for (const auto& [name, stage] : rvm::bench::stages()) {
    const double seconds = stage.seconds / frames;
    if (name.starts_with("dense")) products += seconds;
    if (name.starts_with("attention")) attention += seconds;
    std::printf(
        "| %s | %zu | %.2f | %s | %.1f %% |\n", name.c_str(), stage.calls / options.frames, 1e3 * seconds,
        stage.operations == 0 ? "" : std::to_string(std::lround(1e-9 * stage.operations / stage.seconds)).c_str(),
        100 * seconds / whole);
  }
  const auto total = [&](const char* what, double seconds) {
    std::printf("| %s | | %.2f | | %.1f %% |\n", what, 1e3 * seconds, 100 * seconds / whole);
  };
  total("all dense products", products);
  total("all attention", attention);
  total("all else", whole - products - attention);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Where a step's time goes.", "bench_profile");
  Options options;
  app.add_option("--variant", options.variant, "Size of the model")->check(CLI::IsMember({"S", "B", "L", "H"}));
  app.add_option("--precision", options.precision, "f32, bf16 or int8")->check(CLI::IsMember({"f32", "bf16", "int8"}));
  app.add_option("--frames", options.frames, "Frames to average over")->check(CLI::Range(1, 100000));
  app.add_option("--threads", options.threads, "Threads; 0: as many as the process may use");
  app.add_option_function<std::string>(
      "--size", [&](const std::string& text) { options.size = rvm::examples::parse_frame_size(text).value(); }, "HxW");
  CLI11_PARSE(app, argc, argv);
  if (options.precision == "bf16") {
    profile<rvm::Cpu<rvm::bfloat16>>(options);
  } else if (options.precision == "int8") {
    profile<rvm::Cpu<std::int8_t>>(options);
  } else {
    profile<rvm::Cpu<float>>(options);
  }
  return 0;
}
