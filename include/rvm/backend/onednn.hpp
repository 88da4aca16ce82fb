#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/executor.hpp>
#include <rvm/backend/host_buffer.hpp>
#include <rvm/backend/onednn/dense.hpp>
#include <rvm/backend/onednn/library.hpp>

namespace rvm {

/// The CPU backend: matrix products by oneDNN (2.6 or later), everything else by kernels of our own that use what the
/// processor has, whatever the host's compile flags. T is what products read: float, or bfloat16, where the residual
/// stream, norms, softmax, gates and state stay float. Results do not depend on what other streams do, but may differ
/// in rounding between numbers of threads.
template <class T = float>
struct OneDnn {
  static_assert(std::same_as<T, float> || std::same_as<T, bfloat16>, "OneDnn computes in float or bfloat16");

  static constexpr std::string_view kName = "onednn";
  static constexpr bool kHostMemory = true;

  using Element = T;
  using Norm = NormWeights;
  template <class U>
  using Buffer = HostBuffer<U>;

  struct Options {
    /// Threads of one model, the caller's included, shared by all its streams; 0 takes one per processor. They are the
    /// model's own: oneDNN's OpenMP threads are not used.
    std::size_t threads = 0;
    /// The most that our own kernels may use; nothing takes what the processor has. For tests and comparisons.
    std::optional<Isa> isa{};
  };

  /// A dense layer's packed kernel. Where the processor has no bfloat16 units, bfloat16 weights are kept in float and
  /// multiplied in float.
  struct Dense {
    std::shared_ptr<const detail::PackedDense<T>> native;
    std::shared_ptr<const detail::PackedDense<float>> wide;
  };

  /// Keeps the threads and oneDNN's engine. Safe to use from several threads.
  class Device {
   public:
    explicit Device(const Options& options)
        : team_(std::make_unique<ThreadTeam>(options.threads)),
          engine_(dnnl::engine::kind::cpu, 0),
          isa_(options.isa.value_or(best_isa())),
          native_(std::same_as<T, float> || (isa_ >= Isa::kAvx512 && has_fast_products())) {}

    /// Throws std::bad_alloc.
    Dense pack(DenseWeights weights) const {
      try {
        if (native_) return {std::make_shared<const detail::PackedDense<T>>(engine_, weights, team_->size()), nullptr};
        for (float& v : weights.kernel) v = static_cast<float>(T(v));
        return {nullptr, std::make_shared<const detail::PackedDense<float>>(engine_, weights, team_->size())};
      } catch (const dnnl::error& error) {
        if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
        throw Error(std::string("oneDNN cannot pack a dense layer: ") + error.what());
      }
    }
    Norm pack(NormWeights weights) const { return weights; }
    Buffer<float> upload(std::span<const float> values) const {
      Buffer<float> buffer(*this, values.size());
      std::copy(values.begin(), values.end(), buffer.data());
      return buffer;
    }

    /// What computes, in a line for the user: library, instruction set, and whether bfloat16 is made up for in float.
    std::string description() const {
      return detail::onednn_version() + ", " + std::string(name_of(isa_)) +
             (native_ ? "" : "; no bfloat16 units here: its products are computed in float");
    }

    ThreadTeam& team() const noexcept { return *team_; }
    const dnnl::engine& engine() const noexcept { return engine_; }
    Isa isa() const noexcept { return isa_; }

   private:
    // Whether oneDNN multiplies in T with more than its reference loops.
    bool has_fast_products() const {
      constexpr std::size_t kSize = 64;
      try {
        const dnnl::memory::desc any({kSize, kSize}, detail::kOneDnnType<T>, dnnl::memory::format_tag::any);
        const auto product = detail::onednn_product(engine_, {kSize, kSize, kSize, kSize, kSize, false, false},
                                                    detail::kOneDnnType<T>, dnnl::memory::data_type::f32, any);
        return !std::string_view(product.impl_info_str()).starts_with("ref");
      } catch (const dnnl::error&) {
        return false;
      }
    }

    std::unique_ptr<ThreadTeam> team_;
    dnnl::engine engine_;
    Isa isa_;
    bool native_;
  };

  class Executor;
};

/// The operations of concept.hpp.
template <class T>
class OneDnn<T>::Executor : public detail::CpuExecutor<T> {
  using Base = detail::CpuExecutor<T>;

 public:
  explicit Executor(const Device& device)
      : Base(device.team(), device.isa()), engine_(device.engine()), stream_(engine_) {}

  void dense(MatrixView<const T> x, const Dense& w, MatrixView<T> y, Activation activation = Activation::kNone) {
    if (w.native == nullptr) {
      const MatrixView<float> wide = widened(x.rows, w.wide->out(), outputs_);
      multiply(widen(x), *w.wide, wide, activation == Activation::kNone, false);
      const auto finish = activation == Activation::kGelu ? this->kernels().gelu : this->kernels().convert;
      const float* const bias = activation == Activation::kGelu ? w.wide->bias() : nullptr;
      this->for_rows(x.rows, [&](std::size_t row) noexcept { finish(wide.row(row), bias, y.cols, y.row(row)); });
    } else if (activation == Activation::kNone) {
      multiply(x, *w.native, y, true, false);
    } else {
      multiply_gelu(x, *w.native, y);
    }
  }
  void dense(MatrixView<const T> x, const Dense& w, MatrixView<float> y) requires(!std::same_as<T, float>) {
    multiply_wide(x, w, y, false);
  }
  void dense_add(MatrixView<const T> x, const Dense& w, MatrixView<float> y) { multiply_wide(x, w, y, true); }

 private:
  // One primitive, and for each block of columns the memory that it works on: a thread's own while it computes.
  struct Product {
    struct Place {
      dnnl::memory x;
      dnnl::memory y;
      dnnl::memory scratchpad;
    };
    const void* weights = nullptr;  // which dense layer
    std::size_t rows = 0;
    std::size_t x_stride = 0;
    std::size_t y_stride = 0;
    dnnl::memory::data_type y_type = dnnl::memory::data_type::undef;
    bool biased = false;
    bool accumulate = false;
    std::vector<dnnl::matmul> primitives;  // one per block
    std::vector<Place> places;             // one per block
  };

  void multiply_wide(MatrixView<const T> x, const Dense& w, MatrixView<float> y, bool accumulate) {
    if (w.native == nullptr) {
      multiply(widen(x), *w.wide, y, true, accumulate);
    } else {
      multiply(x, *w.native, y, true, accumulate);
    }
  }

  // y = x w, or y += x w; plus the bias if there is one and it is asked for.
  template <class X, class Y>
  void multiply(MatrixView<const X> x, const detail::PackedDense<X>& w, MatrixView<Y> y, bool biased, bool accumulate) {
    Product& product = prepare(x, w, y.stride, detail::kOneDnnType<Y>, biased && w.bias() != nullptr, accumulate);
    this->team().run(w.blocks().size(), [&](std::size_t part, std::size_t) noexcept {
      const auto& block = w.blocks()[part];
      run(product, part, block, x.data, y.data + block.first);
    });
  }

  // y = gelu(x w + bias): each thread activates its own columns while they are in its cache.
  void multiply_gelu(MatrixView<const T> x, const detail::PackedDense<T>& w, MatrixView<T> y) {
    const MatrixView<float> wide = [&] {
      if constexpr (std::same_as<T, float>) {
        return y;
      } else {
        return widened(x.rows, w.out(), outputs_);
      }
    }();
    Product& product = prepare(x, w, wide.stride, dnnl::memory::data_type::f32, false, false);
    this->team().run(w.blocks().size(), [&](std::size_t part, std::size_t) noexcept {
      const auto& block = w.blocks()[part];
      run(product, part, block, x.data, wide.data + block.first);
      const float* const bias = w.bias() == nullptr ? nullptr : w.bias() + block.first;
      for (std::size_t row = 0; row < x.rows; ++row) {
        this->kernels().gelu(wide.row(row) + block.first, bias, block.cols, y.row(row) + block.first);
      }
    });
  }

  template <class Block>
  void run(Product& product, std::size_t part, const Block& block, const void* x, void* y) const noexcept {
    const detail::OneThread one_thread;
    const auto& place = product.places[part];
    detail::set_data(place.x, x);
    detail::set_data(place.y, y);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, place.x.get()},
                                         {DNNL_ARG_WEIGHTS, block.kernel.get()},
                                         {DNNL_ARG_DST, place.y.get()},
                                         {DNNL_ARG_SCRATCHPAD, place.scratchpad.get()},
                                         {DNNL_ARG_BIAS, product.biased ? block.bias.get() : nullptr}};
    static_cast<void>(
        dnnl_primitive_execute(product.primitives[part].get(), stream_.get(), product.biased ? 5 : 4, arguments));
  }

  // The product's primitives, made the first time that it is asked for.
  template <class X>
  Product& prepare(MatrixView<const X> x, const detail::PackedDense<X>& w, std::size_t y_stride,
                   dnnl::memory::data_type y_type, bool biased, bool accumulate) {
    for (Product& known : products_) {
      if (known.weights == &w && known.rows == x.rows && known.x_stride == x.stride && known.y_stride == y_stride &&
          known.y_type == y_type && known.biased == biased && known.accumulate == accumulate) {
        return known;
      }
    }
    const detail::OneThread one_thread;
    Product product{&w, x.rows, x.stride, y_stride, y_type, biased, accumulate, {}, {}};
    for (const auto& block : w.blocks()) {
      const detail::ProductShape shape{x.rows, w.in(), block.cols, x.stride, y_stride, biased, accumulate};
      const auto description =
          detail::onednn_product(engine_, shape, detail::kOneDnnType<X>, y_type, block.kernel.get_desc());
      product.primitives.emplace_back(description);
      product.places.push_back({dnnl::memory(description.src_desc(), engine_, nullptr),
                                dnnl::memory(description.dst_desc(), engine_, nullptr),
                                dnnl::memory(description.scratchpad_desc(), engine_)});
    }
    products_.push_back(std::move(product));
    return products_.back();
  }

  // Room for float rows between a product and what follows it.
  static MatrixView<float> widened(std::size_t rows, std::size_t cols, Tensor<float>& room) {
    if (room.size() < rows * cols) room = Tensor<float>({rows * cols});
    return {room.data(), rows, cols};
  }
  MatrixView<const float> widen(MatrixView<const T> x) {
    const MatrixView<float> wide = widened(x.rows, x.cols, inputs_);
    this->for_rows(x.rows, [&](std::size_t row) noexcept {
      std::transform(x.row(row), x.row(row) + x.cols, wide.row(row), [](T v) { return static_cast<float>(v); });
    });
    return wide;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::deque<Product> products_;
  Tensor<float> inputs_;
  Tensor<float> outputs_;
};

static_assert(Backend<OneDnn<float>>);
static_assert(Backend<OneDnn<bfloat16>>);

}  // namespace rvm
