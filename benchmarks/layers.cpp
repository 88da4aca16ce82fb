// Each layer alone, over its own products' floor: milliseconds and GFLOP/s.
//
//   bench_layers [--benchmark_filter=REGEX]
//
// Names read LAYER/PRECISION/SIZE/TOKENS.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <rvm/backend/cpu.hpp>
#include <rvm/layers/cross_transformer.hpp>
#include <rvm/layers/patch_embedding.hpp>
#include <rvm/model/config.hpp>
#include <rvm/model/random.hpp>
#include <rvm/weights/reader.hpp>

namespace {

template <class B>
struct Bench {
  Bench(const std::string& variant, std::size_t tokens_)
      : config(rvm::Config::variant(variant)),
        weights(random(config)),
        reader(weights),
        device({.threads = 0, .isa = {}}),
        run(device),
        tokens(tokens_),
        x(device, tokens * config.width),
        workspace(device, tokens, rvm::workspace_widths(config.width, config.encoder)) {}

  // One block of each kind is enough.
  static rvm::Weights random(rvm::Config config) {
    config.encoder.depth = config.core.depth = 1;
    config.decoder.reset();
    return rvm::random_weights(config);
  }

  rvm::MatrixView<float> residual() { return {x.data(), tokens, config.width}; }

  rvm::Config config;
  rvm::Weights weights;
  rvm::WeightReader reader;
  typename B::Device device;
  typename B::Executor run;
  std::size_t tokens;
  typename B::template Buffer<float> x;
  rvm::Workspace<B> workspace;
};

void report(benchmark::State& state, double operations) {
  state.counters["GFLOPs"] =
      benchmark::Counter(1e-9 * operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

template <class B>
void self_attention(benchmark::State& state, const std::string& variant, std::size_t tokens) {
  Bench<B> bench(variant, tokens);
  const rvm::TransformerConfig& c = bench.config.encoder;
  const rvm::SelfAttention<B> layer(bench.device, bench.reader, "encoder/layers_0/attention_norm",
                                    "encoder/layers_0/attention", bench.config.width, c.heads, c.head_dim);
  for ([[maybe_unused]] auto _ : state) layer(bench.run, bench.workspace, bench.residual(), 1);
  const auto n = static_cast<double>(tokens);
  report(state, n * static_cast<double>(c.inner()) * (8.0 * static_cast<double>(bench.config.width) + 4.0 * n));
}

template <class B>
void mlp(benchmark::State& state, const std::string& variant, std::size_t tokens) {
  Bench<B> bench(variant, tokens);
  const rvm::Mlp<B> layer(bench.device, bench.reader, "encoder/layers_0/mlp_norm", "encoder/layers_0/mlp",
                          bench.config.width, bench.config.encoder.mlp);
  for ([[maybe_unused]] auto _ : state) layer(bench.run, bench.workspace, bench.residual());
  report(state, 4.0 * static_cast<double>(tokens * bench.config.width * bench.config.encoder.mlp));
}

template <class B>
void layer_norm(benchmark::State& state, const std::string& variant, std::size_t tokens) {
  Bench<B> bench(variant, tokens);
  const rvm::LayerNorm<B> layer(bench.device, rvm::read_norm(bench.reader, "encoder/LayerNorm_0", bench.config.width));
  const auto normed = bench.workspace.normed(tokens, bench.config.width);
  for ([[maybe_unused]] auto _ : state) layer(bench.run, bench.residual(), normed);
  state.SetBytesProcessed(
      static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * tokens * bench.config.width *
                                (sizeof(float) + sizeof(typename B::Element))));
}

// What every step pays to look for numbers that are not finite.
template <class B>
void finite(benchmark::State& state, const std::string& variant, std::size_t tokens) {
  Bench<B> bench(variant, tokens);
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(bench.run.finite(bench.x.data(), tokens * bench.config.width));
  }
}

template <class B>
void add(const std::string& precision) {
  using Function = void (*)(benchmark::State&, const std::string&, std::size_t);
  const std::pair<const char*, Function> layers[] = {
      {"self_attention", &self_attention<B>}, {"mlp", &mlp<B>}, {"layer_norm", &layer_norm<B>}, {"finite", &finite<B>}};
  for (const auto& [layer, function] : layers) {
    for (const char* variant : {"S", "B", "L", "H"}) {
      for (const std::size_t tokens : {257U, 1651U}) {
        const std::string name = std::string(layer) + "/" + precision + "/" + variant + "/" + std::to_string(tokens);
        benchmark::RegisterBenchmark(
            name.c_str(), [=, layer_of = function](benchmark::State& state) { layer_of(state, variant, tokens); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  add<rvm::Cpu<float>>("f32");
  add<rvm::Cpu<rvm::bfloat16>>("bf16");
  add<rvm::Cpu<std::int8_t>>("int8");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
