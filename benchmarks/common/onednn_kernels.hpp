#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <rvm/backend/onednn/library.hpp>
#include <rvm/core/detail/float_environment.hpp>

// oneDNN's primitives for what our kernels do, on one core.
namespace rvm::bench {

/// A primitive, again and again, on memory of its own that is half ones.
template <class Description>
class OneDnnPrimitive {
 public:
  OneDnnPrimitive(const dnnl::engine& engine, const Description& description,
                  const std::vector<std::pair<int, dnnl::memory::desc>>& arguments)
      : primitive_(description), stream_(engine) {
    for (const auto& [name, layout] : arguments) {
      dnnl::memory memory(layout, engine);
      auto* const bytes = static_cast<unsigned char*>(memory.get_data_handle());
      for (std::size_t i = 0; i < layout.get_size(); ++i) bytes[i] = i % 2 == 0 ? 0 : 0x3f;
      arguments_.emplace(name, memory);
    }
  }
  void operator()() {
    const detail::FloatEnvironment environment;  // as our kernels have it
    const detail::OneThread one_thread;
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::primitive primitive_;
  dnnl::stream stream_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

inline dnnl::memory::desc onednn_rows(std::size_t rows, std::size_t cols, dnnl::memory::data_type type) {
  return detail::onednn_matrix(rows, cols, cols, type);
}

/// One head's two products, without the softmax between them.
template <class Element>
void onednn_attention(benchmark::State& state) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto keys = static_cast<std::size_t>(state.range(0));
  const auto head_dim = static_cast<std::size_t>(state.range(1));
  constexpr auto kType = detail::kOneDnnType<Element>;
  const dnnl::memory::desc tokens = onednn_rows(keys, head_dim, kType);
  const dnnl::memory::desc transposed({detail::onednn_dim(head_dim), detail::onednn_dim(keys)}, kType,
                                      dnnl::memory::dims{1, detail::onednn_dim(head_dim)});
  const dnnl::memory::desc weights = onednn_rows(keys, keys, kType);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc first(engine, tokens, transposed, weights);
  const dnnl::matmul::primitive_desc second(engine, weights, tokens, tokens);
#else
  const dnnl::matmul::primitive_desc first({tokens, transposed, weights}, engine);
  const dnnl::matmul::primitive_desc second({weights, tokens, tokens}, engine);
#endif
  OneDnnPrimitive scores(engine, first,
                         {{DNNL_ARG_SRC, tokens}, {DNNL_ARG_WEIGHTS, transposed}, {DNNL_ARG_DST, weights}});
  OneDnnPrimitive sums(engine, second, {{DNNL_ARG_SRC, weights}, {DNNL_ARG_WEIGHTS, tokens}, {DNNL_ARG_DST, tokens}});
  for ([[maybe_unused]] auto _ : state) {
    scores();
    sums();
  }
  state.counters["GFLOPs"] = benchmark::Counter(4e-9 * static_cast<double>(keys * keys * head_dim),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

/// 257 rows of a layer norm, or of GELU.
inline void onednn_rows(benchmark::State& state, bool norm) {
  constexpr std::size_t kRows = 257;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto n = static_cast<std::size_t>(state.range(0));
  const dnnl::memory::desc rows = onednn_rows(kRows, n, dnnl::memory::data_type::f32);
  const auto report = [&](auto&& primitive) {
    for ([[maybe_unused]] auto _ : state) primitive();
    state.counters["numbers"] =
        benchmark::Counter(static_cast<double>(kRows * n), benchmark::Counter::kIsIterationInvariantRate);
  };
  if (norm) {
    const dnnl::memory::desc parameters({detail::onednn_dim(n)}, dnnl::memory::data_type::f32, dnnl::memory::dims{1});
    const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::layer_normalization_forward::primitive_desc description(engine, dnnl::prop_kind::forward_inference,
                                                                        rows, rows, 1e-6F, flags);
#else
    const dnnl::layer_normalization_forward::primitive_desc description(
        {dnnl::prop_kind::forward_inference, rows, 1e-6F, flags}, engine);
#endif
    report(OneDnnPrimitive(
        engine, description,
        {{DNNL_ARG_SRC, rows}, {DNNL_ARG_SCALE, parameters}, {DNNL_ARG_SHIFT, parameters}, {DNNL_ARG_DST, rows}}));
  } else {
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::eltwise_forward::primitive_desc description(engine, dnnl::prop_kind::forward_inference,
                                                            dnnl::algorithm::eltwise_gelu_tanh, rows, rows);
#else
    const dnnl::eltwise_forward::primitive_desc description(
        {dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_gelu_tanh, rows}, engine);
#endif
    report(OneDnnPrimitive(engine, description, {{DNNL_ARG_SRC, rows}, {DNNL_ARG_DST, rows}}));
  }
}

}  // namespace rvm::bench
