// Whether denormal numbers slow a step: in turn, ordinary steps, steps from a state that is denormal throughout, and
// steps of a model whose dense layers' weights are.
//
//   bench_denormals [--variant S] [--frames 20]

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#include <rvm/core/hash.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "common/measure.hpp"

namespace {

constexpr float kDenormal = 1e-39F;

rvm::Weights with_denormal_kernels(const rvm::Weights& weights) {
  std::vector<std::pair<std::string, rvm::Tensor<float>>> arrays;
  for (const std::string& key : weights.keys()) {
    rvm::Tensor<float> array = weights.at(key).as<float>();
    if (key.ends_with("/kernel")) {
      for (float& value : array) value = value < 0 ? -kDenormal : kDenormal;
    }
    arrays.emplace_back(key, std::move(array));
  }
  return rvm::Weights::from_tensors("denormal", std::move(arrays));
}

// A saved state whose numbers are all denormal.
std::vector<std::byte> with_denormal_state(std::vector<std::byte> saved, std::size_t values) {
  const std::size_t end = saved.size() - sizeof(std::uint64_t);
  const std::vector<float> numbers(values, kDenormal);
  std::memcpy(saved.data() + end - values * sizeof(float), numbers.data(), values * sizeof(float));
  const std::uint64_t hash = rvm::hash_bytes(std::span(saved).first(end));
  std::memcpy(saved.data() + end, &hash, sizeof(hash));
  return saved;
}

template <class B>
void compare(const char* name, const std::string& variant, std::size_t frames) {
  rvm::Config config = rvm::Config::variant(variant);
  config.decoder.reset();
  const rvm::Weights weights = rvm::random_weights(config);
  const typename rvm::Model<B>::Options options{.threads = 1};
  const rvm::Model<B> model(weights, options);
  rvm::Stream<B> ordinary(model);
  rvm::Stream<B> state(model);
  rvm::Stream<B> tiny(rvm::Model<B>(with_denormal_kernels(weights), options));
  const std::vector<std::byte> denormal = with_denormal_state(state.save(), state.token_count() * state.token_width());
  const std::size_t side = ordinary.options().height;
  const std::vector<std::uint8_t> pixels(side * side * 3, 100);
  const auto milliseconds = [&](rvm::Stream<B>& stream) {
    const auto start = std::chrono::steady_clock::now();
    stream.step(rvm::FrameView(pixels.data(), side, side));
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  std::vector<double> times[3];
  for (std::size_t i = 0; i < frames; ++i) {
    times[0].push_back(milliseconds(ordinary));
    state.restore(denormal);
    times[1].push_back(milliseconds(state));
    times[2].push_back(milliseconds(tiny));
  }
  std::printf("| %s | %.1f | %.1f | %.1f |\n", name, rvm::bench::median(times[0]), rvm::bench::median(times[1]),
              rvm::bench::median(times[2]));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times steps with denormal numbers.", "bench_denormals");
  std::string variant = "S";
  std::size_t frames = 20;
  app.add_option("--variant", variant, "Size of the model")->check(CLI::IsMember({"S", "B", "L", "H"}));
  app.add_option("--frames", frames, "Steps of each kind")->check(CLI::Range(1, 100000));
  CLI11_PARSE(app, argc, argv);
  std::printf("| ms on one thread | ordinary | denormal state | denormal weights |\n|---|---|---|---|\n");
  compare<rvm::Cpu<float>>("`Cpu`, float32", variant, frames);
  compare<rvm::Cpu<rvm::bfloat16>>("`Cpu`, bfloat16", variant, frames);
  compare<rvm::Cpu<std::int8_t>>("`Cpu`, int8", variant, frames);
  compare<rvm::EigenCpu<float>>("`EigenCpu`, float32", variant, frames);
  return 0;
}
