// Every product of the models on one core: ours, oneDNN's for the same shape, and the rate of our inner loop with all
// that it reads in the first cache, which is the floor.
//
//   bench_products [--benchmark_filter=REGEX]
//
// Names read WHO/PRECISION/ROWSxDEPTHxCOLUMNS; of lower instruction sets than the best, RVM-S's products alone.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <rvm/backend/cpu.hpp>
#ifdef RVM_PROGRAM_ONEDNN
#include <rvm/backend/onednn.hpp>
#endif

namespace {

struct Shape {
  std::size_t rows;
  std::size_t in;
  std::size_t out;
};

std::string name(const std::string& who, const Shape& s) {
  return who + "/" + std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" + std::to_string(s.out);
}

void report(benchmark::State& state, const Shape& s) {
  state.counters["GFLOPs"] = benchmark::Counter(2e-9 * static_cast<double>(s.rows * s.in * s.out),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

rvm::Tensor<float> some(const rvm::Shape& shape) {
  rvm::Tensor<float> numbers(shape);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers.data()[i] = 0.01F * static_cast<float>(i % 13) - 0.06F;
  return numbers;
}

template <class B>
void product(benchmark::State& state, const Shape& s, rvm::Isa isa = rvm::best_isa()) {
  using Element = typename B::Element;
  const typename B::Device device({.threads = 1, .isa = isa});
  typename B::Executor run(device);
  const auto weights = device.pack(rvm::DenseWeights{some({s.in, s.out}), some({s.out})});
  rvm::Tensor<Element> x({s.rows, s.in});
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = Element(0.1F * static_cast<float>(i % 9));
  rvm::Tensor<Element> y({s.rows, s.out});
  for ([[maybe_unused]] auto _ : state) {
    run.dense(rvm::MatrixView<const Element>(x.data(), s.rows, s.in), weights,
              rvm::MatrixView<Element>(y.data(), s.rows, s.out), rvm::Activation::kNone);
    benchmark::DoNotOptimize(y.data());
  }
  report(state, s);
}

// One tile of rows again and again over a panel that the first cache holds; of matrix tiles, nine blocks of rows over
// as much of a panel.
template <class Weight>
void loop(benchmark::State& state, rvm::Isa isa) {
  const auto& kernels = rvm::detail::cpu_products<Weight>(isa);
  const bool tiles = kernels.depth_grain > kernels.slot;
  const Shape s{(tiles ? 9 : 1) * kernels.row_grain, (tiles ? 256 : 96) * kernels.slot, kernels.panel_cols};
  const std::vector<rvm::detail::ProductInput<Weight>> x(s.rows * s.in);
  const std::vector<Weight> panel(s.in * s.out);
  std::vector<rvm::detail::ProductOutput<Weight>> y(s.rows * s.out);
  std::vector<float> scratch(kernels.scratch);
  const std::vector<float> parameters(s.out);
  const std::vector<rvm::detail::ByteScale> scales(s.rows);
  rvm::detail::PanelProduct<Weight> product;
  product.x = {x.data(), s.rows, s.in};
  product.panel = panel.data();
  product.cols = s.out;
  product.y = {y.data(), s.rows, s.out};
  product.bias = product.column_scales = product.column_sums = parameters.data();
  product.row_scales = scales.data();
  for ([[maybe_unused]] auto _ : state) {
    kernels.multiply(product, scratch.data());
    benchmark::DoNotOptimize(y.data());
  }
  report(state, s);
}

template <class T>
void add(const std::string& precision) {
  const rvm::Isa best = rvm::detail::usable_isa(rvm::best_isa());
  for (const rvm::Isa isa : {rvm::Isa::kPortable, rvm::Isa::kAvx2, rvm::Isa::kAvxVnni, rvm::Isa::kAvx512,
                             rvm::Isa::kAvx512Vnni, rvm::Isa::kAvx512Bf16, rvm::Isa::kAmx}) {
    if (rvm::detail::usable_isa(rvm::best_isa(isa)) != isa) continue;
    const std::string who = isa == best ? "" : " on " + std::string(name_of(isa));
    benchmark::RegisterBenchmark(("loop" + who + "/" + precision).c_str(),
                                 [isa](benchmark::State& state) { loop<T>(state, isa); });
    if (isa == best) continue;
    for (const Shape& s : {Shape{257, 384, 1536}, Shape{257, 1536, 384}}) {
      benchmark::RegisterBenchmark(name("cpu" + who + "/" + precision, s).c_str(),
                                   [s, isa](benchmark::State& state) { product<rvm::Cpu<T>>(state, s, isa); });
    }
  }
  for (const std::size_t rows : {257U, 1651U}) {
    for (const std::size_t width : {384U, 768U, 1024U, 1280U}) {
      for (const Shape& s : {Shape{rows, width, 3 * width}, Shape{rows, width, width}, Shape{rows, width, 4 * width},
                             Shape{rows, 4 * width, width}}) {
        benchmark::RegisterBenchmark(name("cpu/" + precision, s).c_str(),
                                     [s](benchmark::State& state) { product<rvm::Cpu<T>>(state, s); });
#ifdef RVM_PROGRAM_ONEDNN
        benchmark::RegisterBenchmark(name("onednn/" + precision, s).c_str(),
                                     [s](benchmark::State& state) { product<rvm::OneDnn<T>>(state, s); });
#endif
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  add<float>("f32");
  add<rvm::bfloat16>("bf16");
  add<std::int8_t>("int8");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
