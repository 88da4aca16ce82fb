// Steps many frames and says whether the last cost what the first did, in time and in memory; and, since a machine may
// have become slower meanwhile, what they cost beside a new stream's, in turn with it.
//
//   bench_steady [--variant S] [--precision f32] [--frames 10000]

#include <algorithm>
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

#include "common/measure.hpp"

namespace {

template <class B>
void step(const std::string& variant, std::size_t frames) {
  rvm::Config config = rvm::Config::variant(variant);
  config.decoder.reset();
  const rvm::Model<B> model(rvm::random_weights(config));
  rvm::Stream<B> stream(model);
  const std::size_t side = stream.options().height;
  std::vector<std::uint8_t> pixels(side * side * 3);
  std::vector<double> times(frames);
  double memory = 0;
  const std::size_t part = std::max<std::size_t>(1, frames / 10);
  const auto milliseconds = [&](rvm::Stream<B>& of, std::size_t i) {
    for (std::size_t j = i % 7; j < pixels.size(); j += 7) pixels[j] = static_cast<std::uint8_t>(i * 31 + j);
    const auto start = std::chrono::steady_clock::now();
    of.step(rvm::FrameView(pixels.data(), side, side));
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  for (std::size_t i = 0; i < frames; ++i) {
    times[i] = milliseconds(stream, i);
    if (i + 1 == part) memory = rvm::bench::resident_kilobytes();
  }
  memory = rvm::bench::resident_kilobytes() - memory;
  const double first = rvm::bench::median({times.begin(), times.begin() + static_cast<std::ptrdiff_t>(part)});
  const double last = rvm::bench::median({times.end() - static_cast<std::ptrdiff_t>(part), times.end()});
  std::printf("%zu frames: median of the first %zu %.3f ms, of the last %zu %.3f ms (%+.2f %%); memory %+.0f kB\n",
              frames, part, first, part, last, 100 * (last / first - 1), memory);
  rvm::Stream<B> fresh(model);
  std::vector<double> old_times;
  std::vector<double> new_times;
  for (std::size_t i = 0; i < std::min<std::size_t>(part, 500); ++i) {
    old_times.push_back(milliseconds(stream, i));
    new_times.push_back(milliseconds(fresh, i));
  }
  const double beside = rvm::bench::median(std::move(new_times));
  const double old = rvm::bench::median(std::move(old_times));
  std::printf("then in turn with a new stream: %.3f ms, the new one %.3f ms (%+.2f %%)\n", old, beside,
              100 * (old / beside - 1));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Steps many frames and compares the last with the first.", "bench_steady");
  std::string variant = "S";
  std::string precision = "f32";
  std::size_t frames = 10000;
  app.add_option("--variant", variant, "Size of the model")->check(CLI::IsMember({"S", "B", "L", "H"}));
  app.add_option("--precision", precision, "f32, bf16 or int8")->check(CLI::IsMember({"f32", "bf16", "int8"}));
  app.add_option("--frames", frames, "Frames to step")->check(CLI::Range(1, 100000000));
  CLI11_PARSE(app, argc, argv);
  if (precision == "bf16") {
    step<rvm::Cpu<rvm::bfloat16>>(variant, frames);
  } else if (precision == "int8") {
    step<rvm::Cpu<std::int8_t>>(variant, frames);
  } else {
    step<rvm::Cpu<float>>(variant, frames);
  }
  return 0;
}
