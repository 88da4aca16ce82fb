// The step and the clip, over their floor.
//
//   bench_step [--benchmark_filter=REGEX]
//
// Names read BACKEND/PRECISION/SIZE/HEIGHTxWIDTH/batch:N. Each reports milliseconds a frame (median over repetitions),
// the time of the bare matrix products in the same process, and the step over them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <rvm/backend/cpu.hpp>
#include <rvm/rvm.hpp>
#ifdef RVM_PROGRAM_ONEDNN
#include <rvm/backend/onednn.hpp>
#endif

#include "common/measure.hpp"
#include "common/products.hpp"

namespace {

struct Case {
  std::string variant;
  std::size_t height;
  std::size_t width;
  std::size_t batch;
  bool clip;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <rvm::Backend B>
void step(benchmark::State& state, const Case& c) {
  rvm::Config config = rvm::Config::variant(c.variant);
  config.decoder.reset();
  const rvm::Model<B> model(rvm::random_weights(config));
  constexpr std::size_t kChunk = 4;
  rvm::Stream<B> stream(model, {.height = c.height, .width = c.width, .batch = c.batch, .chunk = kChunk});
  const std::size_t steps = c.clip ? 32 : 1;
  const std::vector<std::uint8_t> pixels(c.height * c.width * 3, 100);
  const std::vector<rvm::FrameView> frames(steps * c.batch, rvm::FrameView(pixels.data(), c.height, c.width));
  std::vector<float> out(c.clip ? steps * c.batch * stream.token_count() * stream.token_width() : 0);
  const std::size_t rows = c.batch * stream.token_count();
  rvm::bench::Products<B> products(model.device(), config, rows);

  const auto once = [&] {
    if (c.clip) {
      stream.run(frames, out);
    } else {
      benchmark::DoNotOptimize(stream.step(frames).values().data());
    }
  };
  once();
  products();
  std::vector<double> step_times;
  std::vector<double> floor_times;
  for ([[maybe_unused]] auto _ : state) {
    auto start = std::chrono::steady_clock::now();
    once();
    step_times.push_back(seconds_since(start) / static_cast<double>(steps));
    state.SetIterationTime(step_times.back());
    start = std::chrono::steady_clock::now();
    products();
    floor_times.push_back(seconds_since(start));
  }
  const auto batch = static_cast<double>(c.batch);
  state.counters["ms_a_frame"] = 1e3 * rvm::bench::median(step_times) / batch;
  state.counters["products_ms"] = 1e3 * rvm::bench::median(floor_times) / batch;
  state.counters["over_products"] = rvm::bench::median(step_times) / rvm::bench::median(floor_times);
  state.counters["products_GFLOPs"] = 1e-9 * products.operations() / rvm::bench::median(floor_times);
}

template <rvm::Backend B>
void add(const std::string& precision) {
  const auto name = [&](const Case& c) {
    return std::string(B::kName) + "/" + precision + "/" + c.variant + "/" + std::to_string(c.height) + "x" +
           std::to_string(c.width) + "/" + (c.clip ? "clip:32" : "batch:" + std::to_string(c.batch));
  };
  std::vector<Case> cases;
  for (const char* variant : {"S", "B", "L", "H"}) {
    cases.push_back({variant, 256, 256, 1, false});
    cases.push_back({variant, 256, 256, 4, false});
    cases.push_back({variant, 256, 256, 1, true});
    cases.push_back({variant, 480, 880, 1, false});
    cases.push_back({variant, 480, 880, 4, false});
    cases.push_back({variant, 480, 880, 1, true});
  }
  for (const Case& c : cases) {
    benchmark::RegisterBenchmark(name(c).c_str(), [c](benchmark::State& state) { step<B>(state, c); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->MinTime(c.clip ? 0.5 : 2.0);  // of one step: a clip has 32
  }
}

}  // namespace

int main(int argc, char** argv) {
  add<rvm::EigenCpu<float>>("f32");
  add<rvm::Cpu<float>>("f32");
  add<rvm::Cpu<rvm::bfloat16>>("bf16");
  add<rvm::Cpu<std::int8_t>>("int8");
#ifdef RVM_PROGRAM_ONEDNN
  add<rvm::OneDnn<float>>("f32");
  add<rvm::OneDnn<rvm::bfloat16>>("bf16");
  add<rvm::OneDnn<std::int8_t>>("int8");
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
