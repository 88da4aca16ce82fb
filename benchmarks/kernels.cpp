// Each of our CPU kernels for one core, on every instruction set of this processor, and oneDNN's primitives for the
// same. The floor of attention is the rate of bench_products' loop. Norms and GELU read what a product has just left in
// the cache: 257 rows in turn, as in a step.

#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <rvm/backend/cpu/kernels.hpp>
#include <rvm/core/thread_team.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/lanczos.hpp>

#ifdef RVM_PROGRAM_ONEDNN
#include "common/onednn_kernels.hpp"
#endif

namespace {

using rvm::Isa;
using rvm::detail::cpu_kernels;

template <class Element>
void attention(benchmark::State& state, Isa isa) {
  const auto& kernels = cpu_kernels<Element>(isa);
  const auto keys = static_cast<std::size_t>(state.range(0));
  const auto head_dim = static_cast<std::size_t>(state.range(1));
  const std::vector<Element> q(keys * head_dim, Element(0.5F));
  std::vector<Element> out(q.size());
  std::vector<float> packed_keys(kernels.packed_keys(keys, head_dim));
  std::vector<float> packed_values(kernels.packed_values(keys, head_dim));
  std::vector<float> scratch(kernels.attention_scratch(keys, head_dim));
  const rvm::MatrixView<const Element> matrix(q.data(), keys, head_dim);
  for ([[maybe_unused]] auto _ : state) {
    kernels.pack_keys(matrix, packed_keys.data());
    kernels.pack_values(matrix, packed_values.data());
    kernels.attend(
        {matrix, packed_keys.data(), packed_values.data(), keys, {out.data(), keys, head_dim}, scratch.data()});
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["GFLOPs"] = benchmark::Counter(4e-9 * static_cast<double>(keys * keys * head_dim),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

template <class Element>
void rows(benchmark::State& state, Isa isa, bool norm) {
  const auto& kernels = cpu_kernels<Element>(isa);
  const auto n = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t kRows = 257;
  const std::vector<float> x(kRows * n, 0.7F);
  const std::vector<float> scale(n, 1.0F);
  std::vector<Element> y(kRows * n);
  for ([[maybe_unused]] auto _ : state) {
    for (std::size_t i = 0; i < kRows * n; i += n) {
      if (norm) {
        kernels.layer_norm(x.data() + i, n, scale.data(), scale.data(), 1e-6F, y.data() + i);
      } else {
        kernels.gelu(x.data() + i, nullptr, n, y.data() + i);
      }
    }
    benchmark::DoNotOptimize(y.data());
  }
  state.counters["numbers"] =
      benchmark::Counter(static_cast<double>(kRows * n), benchmark::Counter::kIsIterationInvariantRate);
}

void lanczos(benchmark::State& state) {
  const rvm::Image frame(720, 1280);
  rvm::Resizer resizer;
  rvm::Image out;
  for ([[maybe_unused]] auto _ : state) {
    resizer.resize(frame, 256, 256, out);
    benchmark::DoNotOptimize(out.bytes().data());
  }
}

// What it costs to hand out parts that do nothing and to wait for them, with a thread per processor.
void team(benchmark::State& state) {
  rvm::ThreadTeam team;
  const std::size_t parts = static_cast<std::size_t>(state.range(0)) * team.size();
  for ([[maybe_unused]] auto _ : state) {
    team.run(parts, [](std::size_t part, std::size_t) noexcept { benchmark::DoNotOptimize(part); });
  }
}

template <class Element>
void add(const std::string& precision) {
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx}) {
    if (rvm::detail::usable_isa(rvm::best_isa(isa)) != isa) continue;
    const std::string suffix = "/" + precision + "/" + std::string(name_of(isa));
    benchmark::RegisterBenchmark(("attention" + suffix).c_str(), [isa](auto& state) { attention<Element>(state, isa); })
        ->Args({257, 48})
        ->Args({257, 64})
        ->Args({1651, 64})
        ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("layer_norm" + suffix).c_str(),
                                 [isa](auto& state) { rows<Element>(state, isa, true); })
        ->Arg(384)
        ->Arg(1024)
        ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("gelu" + suffix).c_str(), [isa](auto& state) { rows<Element>(state, isa, false); })
        ->Arg(1536)
        ->Arg(4096)
        ->Unit(benchmark::kMicrosecond);
  }
#ifdef RVM_PROGRAM_ONEDNN
  benchmark::RegisterBenchmark(("attention/" + precision + "/oneDNN's products").c_str(),
                               rvm::bench::onednn_attention<Element>)
      ->Args({257, 48})
      ->Args({257, 64})
      ->Args({1651, 64})
      ->Unit(benchmark::kMicrosecond);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  add<float>("f32");
  add<rvm::bfloat16>("bf16");
#ifdef RVM_PROGRAM_ONEDNN
  for (const bool norm : {true, false}) {
    benchmark::RegisterBenchmark(norm ? "layer_norm/f32/oneDNN" : "gelu/f32/oneDNN",
                                 [norm](auto& state) { rvm::bench::onednn_rows(state, norm); })
        ->Arg(norm ? 384 : 1536)
        ->Arg(norm ? 1024 : 4096)
        ->Unit(benchmark::kMicrosecond);
  }
#endif
  benchmark::RegisterBenchmark("resize/1280x720 to 256x256", lanczos)->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("team/parts for each thread", team)->Arg(1)->Arg(10);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
