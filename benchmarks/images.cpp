// What is done to a frame before the model: resizing it, and cutting it into patches.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>
#include <rvm/backend/cpu.hpp>
#include <rvm/image/lanczos.hpp>

namespace {

// Arguments: height and width of the source; of what it becomes.
void resize(benchmark::State& state) {
  const auto side = [&](std::size_t i) { return static_cast<std::size_t>(state.range(i)); };
  const std::vector<std::uint8_t> pixels(side(0) * side(1) * 3, 100);
  const rvm::FrameView frame(pixels.data(), side(0), side(1));
  rvm::Resizer resizer;
  rvm::Image out;
  for ([[maybe_unused]] auto _ : state) {
    resizer.resize(frame, side(2), side(3), out);
    benchmark::DoNotOptimize(out.bytes().data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(pixels.size()));
}
BENCHMARK(resize)
    ->Args({480, 640, 256, 256})
    ->Args({1080, 1920, 480, 880})
    ->Args({2160, 3840, 480, 880})
    ->Unit(benchmark::kMillisecond);

template <class B>
void patches(benchmark::State& state) {
  const auto height = static_cast<std::size_t>(state.range(0));
  const auto width = static_cast<std::size_t>(state.range(1));
  const std::vector<std::uint8_t> pixels(height * width * 3, 100);
  const rvm::FrameView frame(pixels.data(), height, width);
  const typename B::Device device({.threads = 1, .isa = {}});
  typename B::Executor run(device);
  const std::size_t rows = 1 + height * width / (rvm::kPatchSize * rvm::kPatchSize);
  typename B::template Buffer<typename B::Element> out(device, rows * rvm::kPatchValues);
  for ([[maybe_unused]] auto _ : state) {
    run.patches(std::span(&frame, 1), rvm::MatrixView<typename B::Element>(out.data(), rows, rvm::kPatchValues));
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(pixels.size()));
}
BENCHMARK(patches<rvm::Cpu<float>>)->Args({256, 256})->Args({480, 880})->Unit(benchmark::kMillisecond);
BENCHMARK(patches<rvm::Cpu<rvm::bfloat16>>)->Args({256, 256})->Args({480, 880})->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
