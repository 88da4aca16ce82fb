#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/device.hpp>
#include <rvm/backend/cpu/executor.hpp>
#include <rvm/backend/onednn/dense.hpp>
#include <rvm/backend/onednn/library.hpp>
#include <rvm/backend/onednn/products.hpp>

namespace rvm {

/// The CPU backend: matrix products by oneDNN (2.6 or later), everything else by kernels of our own that use what the
/// processor has, whatever the host's compile flags. T is what dense layers multiply in:
///
///   float
///   bfloat16     the residual stream, norms, softmax, gates and state stay float
///   std::int8_t  as bfloat16, but dense layers multiply bytes: weights with a scale for every output, tokens with a
///                scale each, found as they come
///
/// The same frames give the same features for the same number of threads; another number may round otherwise. A warm
/// step takes no memory, but for the table of arguments that oneDNN makes for each product and drops again.
template <class T = float>
struct OneDnn : detail::CpuTypes<T> {
  using typename detail::CpuTypes<T>::Element;
  using typename detail::CpuTypes<T>::Options;

  static constexpr std::string_view kName = "onednn";

  /// A dense layer's packed kernel, in one of three types: in bytes; as Element; or, for bfloat16 where the processor
  /// has no units for it, in float.
  struct Dense {
    std::shared_ptr<const detail::PackedDense<std::int8_t>> bytes;
    std::shared_ptr<const detail::PackedDense<Element>> element;
    std::shared_ptr<const detail::PackedDense<float>> wide;
  };

  /// Keeps the threads and oneDNN's engine. Safe to use from several threads.
  class Device : public detail::CpuDevice {
   public:
    explicit Device(const Options& options)
        : CpuDevice(options, OneDnn::kMostIsa),
          engine_(detail::with_onednn([] { return dnnl::engine(dnnl::engine::kind::cpu, 0); })),
          has_element_products_(std::same_as<Element, float> || (this->isa() >= Isa::kAvx512 && has_fast_products())) {}

    /// Throws std::bad_alloc, or Error if oneDNN cannot pack the layer.
    Dense pack(DenseWeights weights) const {
      return detail::with_onednn([&] {
        Dense dense;
        if (std::same_as<T, std::int8_t> && detail::fits_bytes(weights)) {
          dense.bytes = make<std::int8_t>(weights);
        } else if (has_element_products_) {
          dense.element = make<Element>(weights);
        } else {
          for (float& v : weights.kernel) v = static_cast<float>(Element(v));
          dense.wide = make<float>(weights);
        }
        return dense;
      });
    }
    using CpuDevice::pack;

    /// What computes, in a line for the user: library and instruction set, and notice().
    std::string description() const {
      return detail::onednn_version() + ", " + std::string(name_of(this->isa())) +
             (notice().empty() ? "" : "; " + notice());
    }
    /// What a user should know who asked for speed; empty if there is nothing.
    std::string notice() const { return CpuDevice::notice(has_element_products_); }

    const dnnl::engine& engine() const noexcept { return engine_; }
    /// The largest byte of a quantized token. Without byte dot products, oneDNN adds pairs of products in 16 bits,
    /// where only half of the range fits.
    int byte_steps() const noexcept { return has_byte_dot_products() ? 255 : 127; }

   private:
    template <class Weight>
    std::shared_ptr<const detail::PackedDense<Weight>> make(const DenseWeights& weights) const {
      return std::make_shared<const detail::PackedDense<Weight>>(engine_, weights, this->team().size());
    }

    // Whether oneDNN multiplies in bfloat16 with more than its reference loops.
    bool has_fast_products() const {
      constexpr std::size_t kSize = 64;
      constexpr auto kType = dnnl::memory::data_type::bf16;
      try {
        const dnnl::memory::desc any({kSize, kSize}, kType, dnnl::memory::format_tag::any);
        const auto product = detail::onednn_product(engine_, {kSize, kSize, kSize, kSize, kSize, false, false}, kType,
                                                    dnnl::memory::data_type::f32, any);
        return !std::string_view(product.impl_info_str()).starts_with("ref");
      } catch (const dnnl::error& error) {
        if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
        return false;
      }
    }

    static bool has_byte_dot_products() noexcept {
#if defined(__x86_64__)
      return __builtin_cpu_supports("avx512vnni") != 0;
#else
      return false;
#endif
    }

    dnnl::engine engine_;
    bool has_element_products_;
  };

  class Executor;
};

/// The operations of concept.hpp. Each thread computes its block of columns and what follows the product on it, while
/// it is in that core's cache.
template <class T>
class OneDnn<T>::Executor : public detail::CpuExecutor<typename OneDnn<T>::Element> {
  using Base = detail::CpuExecutor<Element>;

 public:
  explicit Executor(const Device& device)
      : Base(device.team(), detail::cpu_kernels<Element>(device.isa())),
        products_(device.engine()),
        byte_steps_(device.byte_steps()) {}

  void dense(MatrixView<const Element> x, const Dense& w, MatrixView<Element> y,
             Activation activation = Activation::kNone) {
    if (activation == Activation::kNone && w.element != nullptr) return multiply(x, *w.element, y, false);
    const auto finish = activation == Activation::kNone ? this->kernels().convert : this->kernels().gelu;
    multiply_then(x, w, y, finish);
  }
  void dense(MatrixView<const Element> x, const Dense& w, MatrixView<float> y) requires(!std::same_as<Element, float>) {
    wide(x, w, y, false);
  }
  void dense_add(MatrixView<const Element> x, const Dense& w, MatrixView<float> y) { wide(x, w, y, true); }

 private:
  // y = x w + bias or y += x w + bias in float.
  void wide(MatrixView<const Element> x, const Dense& w, MatrixView<float> y, bool accumulate) {
    if (w.element != nullptr) {
      multiply(x, *w.element, y, accumulate);
    } else if (w.wide != nullptr) {
      multiply(widened(x), *w.wide, y, accumulate);
    } else {
      multiply_then(x, w, y, [&](const float* row, const float* bias, std::size_t n, float* out) {
        if (!accumulate) std::fill_n(out, n, 0.0F);
        this->kernels().add(row, bias, n, out);
      });
    }
  }

  // y = x w + bias or y += x w + bias, all by oneDNN.
  template <class X, class Y>
  void multiply(MatrixView<const X> x, const detail::PackedDense<X>& w, MatrixView<Y> y, bool accumulate) {
    const auto& product =
        products_.prepare(w.blocks(), {x.rows, w.in(), 0, x.stride, y.stride, w.bias() != nullptr, accumulate},
                          detail::kOneDnnType<X>, detail::kOneDnnType<Y>);
    run_blocks(w.blocks().size(), [&](std::size_t part) noexcept {
      return products_.run(product, part, w.blocks()[part], x.data, y.data + w.blocks()[part].first);
    });
  }

  // The product without its bias in float, then finish(its row, bias, columns, row of y).
  template <class Out, class Finish>
  void multiply_then(MatrixView<const Element> x, const Dense& w, MatrixView<Out> y, const Finish& finish) {
    if (w.bytes != nullptr) {
      quantize(x);
      finish_blocks(MatrixView<const std::uint8_t>(bytes_.data(), x.rows, x.cols), *w.bytes, y, finish);
    } else if (w.element != nullptr) {
      finish_blocks(x, *w.element, y, finish);
    } else {
      finish_blocks(widened(x), *w.wide, y, finish);
    }
  }

  template <class X, class Weight, class Out, class Finish>
  void finish_blocks(MatrixView<const X> x, const detail::PackedDense<Weight>& w, MatrixView<Out> y,
                     const Finish& finish) {
    constexpr bool kBytes = detail::PackedDense<Weight>::kQuantized;
    constexpr auto kSumType = kBytes ? dnnl::memory::data_type::s32 : dnnl::memory::data_type::f32;
    const MatrixView<float> sums = [&] {
      if constexpr (std::same_as<Element, float>) {
        return y;  // holds the sums itself
      } else {
        return room(x.rows, w.out(), sums_);
      }
    }();
    const auto& product = products_.prepare(w.blocks(), {x.rows, w.in(), 0, x.stride, sums.stride, false, false},
                                            detail::kOneDnnType<X>, kSumType);
    run_blocks(w.blocks().size(), [&](std::size_t part) noexcept {
      const detail::OneDnnBlock& block = w.blocks()[part];
      const dnnl_status_t status = products_.run(product, part, block, x.data, sums.data + block.first);
      if (status != dnnl_success) return status;
      const float* const bias = w.bias() == nullptr ? nullptr : w.bias() + block.first;
      for (std::size_t i = 0; i < x.rows; ++i) {
        float* const row = sums.row(i) + block.first;
        if constexpr (kBytes) {
          this->kernels().dequantize(row, w.sums() + block.first, scales_(i), w.scales() + block.first, block.cols);
        }
        finish(row, bias, block.cols, y.row(i) + block.first);
      }
      return status;
    });
  }

  // run(block) for every block. Throws if one gives another status than success.
  template <class Run>
  void run_blocks(std::size_t count, const Run& run) const {
    std::atomic<dnnl_status_t> failure = dnnl_success;
    this->team().run(count, [&](std::size_t block, std::size_t) noexcept {
      const dnnl_status_t status = run(block);
      if (status != dnnl_success) failure = status;
    });
    if (failure != dnnl_success) detail::throw_onednn_failure(failure, "a product failed");
  }

  // Tokens as bytes, each with its scale.
  void quantize(MatrixView<const Element> x) {
    if (bytes_.size() < x.rows * x.cols) bytes_ = Tensor<std::uint8_t>({x.rows * x.cols});
    if (scales_.size() < x.rows) scales_ = Tensor<detail::ByteScale>({x.rows});
    this->for_rows(x.rows, [&](std::size_t row) noexcept {
      scales_(row) = this->kernels().quantize(x.row(row), x.cols, byte_steps_, bytes_.data() + row * x.cols);
    });
  }

  MatrixView<const float> widened(MatrixView<const Element> x) {
    const MatrixView<float> wide = room(x.rows, x.cols, inputs_);
    this->for_rows(x.rows, [&](std::size_t row) noexcept {
      std::transform(x.row(row), x.row(row) + x.cols, wide.row(row), [](Element v) { return static_cast<float>(v); });
    });
    return wide;
  }

  static MatrixView<float> room(std::size_t rows, std::size_t cols, Tensor<float>& tensor) {
    if (tensor.size() < rows * cols) tensor = Tensor<float>({rows * cols});
    return {tensor.data(), rows, cols};
  }

  detail::OneDnnProducts products_;
  int byte_steps_;
  Tensor<float> inputs_;              // sources in float, where products read less but are computed in float
  Tensor<float> sums_;                // between a product and what follows it
  Tensor<std::uint8_t> bytes_;        // sources as bytes
  Tensor<detail::ByteScale> scales_;  // [rows]
};

static_assert(Backend<OneDnn<float>>);
static_assert(Backend<OneDnn<bfloat16>>);
static_assert(Backend<OneDnn<std::int8_t>>);

}  // namespace rvm
