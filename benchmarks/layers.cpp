// Each layer alone: milliseconds and GFLOP/s.
//
//   bench_layers [--benchmark_filter=REGEX]
//
// Names read LAYER/PRECISION/SIZE/TOKENS.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <rvm/backend/cpu.hpp>
#include <rvm/layers/attention.hpp>
#include <rvm/layers/layer_norm.hpp>
#include <rvm/layers/mlp.hpp>
#include <rvm/layers/patch_embedding.hpp>
#include <rvm/model/config.hpp>
#include <rvm/model/random.hpp>
#include <rvm/model/recurrent_core.hpp>
#include <rvm/weights/reader.hpp>

namespace {

template <class B>
struct Bench {
  Bench(const std::string& variant, std::size_t tokens_)
      : config(shallow(variant)),
        weights(rvm::random_weights(config)),
        reader(weights),
        device({.threads = 0, .isa = {}}),
        run(device),
        tokens(tokens_),
        x(device, tokens * config.width),
        workspace(device, tokens,
                  max(rvm::workspace_widths(config.width, config.encoder),
                      rvm::workspace_widths(config.width, config.core))) {}

  // One block of each kind is enough.
  static rvm::Config shallow(const std::string& variant) {
    rvm::Config config = rvm::Config::variant(variant);
    config.encoder.depth = config.core.depth = 1;
    config.decoder.reset();
    return config;
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

// Cutting a frame into patches, their product, and the positions.
template <class B>
void patch_embedding(benchmark::State& state, const std::string& variant, std::size_t tokens) {
  Bench<B> bench(variant, tokens);
  const std::size_t h = tokens == 257 ? 16 : 30;
  const std::size_t w = (tokens - 1) / h;
  const std::vector<std::uint8_t> pixels(h * w * rvm::kPatchValues, 100);
  const rvm::FrameView frame(pixels.data(), h * rvm::kPatchSize, w * rvm::kPatchSize);
  const rvm::PatchEmbedding<B> layer(bench.device, bench.reader, bench.config.width);
  const auto table = layer.table(bench.device, h, w);
  typename B::template Buffer<typename B::Element> room(bench.device, tokens * rvm::kPatchValues);
  const rvm::MatrixView<typename B::Element> patches(room.data(), tokens, rvm::kPatchValues);
  for ([[maybe_unused]] auto _ : state) {
    bench.run.patches({&frame, 1}, patches);
    layer(bench.run, patches, table, bench.residual());
  }
  report(state, 2.0 * static_cast<double>(tokens * rvm::kPatchValues * bench.config.width));
}

// The recurrent core with one block: both gates, keys and values, cross-attention, MLP, self-attention, the new state.
template <class B>
void core(benchmark::State& state, const std::string& variant, std::size_t tokens) {
  Bench<B> bench(variant, tokens);
  const rvm::TransformerConfig& c = bench.config.core;
  const rvm::RecurrentCore<B> layer(bench.device, bench.reader, bench.config.width, c);
  rvm::CoreWorkspace<B> own(bench.device, tokens, bench.config.width, layer.keys_values_width());
  typename B::template Buffer<float> before(bench.device, tokens * bench.config.width);
  typename B::template Buffer<float> after(bench.device, tokens * bench.config.width);
  for ([[maybe_unused]] auto _ : state) {
    layer(bench.run, bench.workspace, own, bench.residual(), {before.data(), tokens, bench.config.width},
          {after.data(), tokens, bench.config.width}, 1);
  }
  const auto n = static_cast<double>(tokens);
  const auto d = static_cast<double>(bench.config.width);
  const auto inner = static_cast<double>(c.inner());
  report(state, n * d * (8.0 * d + 16.0 * inner + 4.0 * static_cast<double>(c.mlp)) + 8.0 * n * n * inner);
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
  const std::pair<const char*, Function> layers[] = {{"patch_embedding", &patch_embedding<B>},
                                                     {"self_attention", &self_attention<B>},
                                                     {"mlp", &mlp<B>},
                                                     {"core", &core<B>},
                                                     {"layer_norm", &layer_norm<B>},
                                                     {"finite", &finite<B>}};
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
