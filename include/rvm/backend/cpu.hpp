#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/dense_panels.hpp>
#include <rvm/backend/cpu/device.hpp>
#include <rvm/backend/cpu/executor.hpp>

namespace rvm {

/// The fast CPU backend: kernels of our own for everything, chosen at run time for what the processor has, whatever the
/// host's compile flags. Needs no library. T is what dense layers multiply in:
///
///   float
///   bfloat16     the residual stream, norms, softmax, gates and state stay float
///   std::int8_t  as bfloat16, but dense layers multiply bytes: weights with a scale for every output, tokens with a
///                scale each, found as they come
///
/// Where the processor has AMX, a device asks the operating system for it; notice() says so where that is refused.
///
/// The same frames give the same features on the same instruction set, bit for bit, for any number of threads and
/// streams. A warm step allocates nothing.
template <class T = float>
struct Cpu : detail::CpuTypes<T> {
  using typename detail::CpuTypes<T>::Element;
  using typename detail::CpuTypes<T>::Options;

  static constexpr std::string_view kName = "cpu";

  /// A dense layer's packed kernel: in bytes, or as Element.
  struct Dense {
    std::optional<detail::DensePanels<std::int8_t>> bytes;
    std::optional<detail::DensePanels<Element>> element;
  };

  /// Keeps the threads, and what computes. Safe to use from several threads.
  class Device : public detail::CpuDevice {
   public:
    explicit Device(const Options& options)
        : CpuDevice(options, Cpu::kMostIsa), level_(detail::cpu_level<Element>(this->isa())) {}
    /// With kernels of the caller's, which this processor must be able to run: for tests.
    Device(const Options& options, const detail::CpuLevel<Element>& level) : CpuDevice(options), level_(level) {}

    /// Throws std::bad_alloc.
    Dense pack(DenseWeights weights) const {
      Dense dense;
      if (std::same_as<T, std::int8_t> && detail::fits_bytes(weights)) {
        dense.bytes.emplace(weights, *level_.byte_products, this->team());
      } else {
        dense.element.emplace(weights, *level_.products, this->team());
      }
      return dense;
    }
    using CpuDevice::pack;

    /// What computes, in a line for the user: the instruction set, and notice().
    std::string description() const {
      return std::string(name_of(this->isa())) + (notice().empty() ? "" : "; " + notice());
    }
    /// What a user should know who asked for speed; empty if there is nothing.
    std::string notice() const {
      return CpuDevice::notice(std::same_as<Element, float> || this->isa() >= Isa::kAvx512Bf16);
    }

    const detail::CpuLevel<Element>& level() const noexcept { return level_; }

   private:
    detail::CpuLevel<Element> level_;
  };

  class Executor;
};

/// The operations of concept.hpp. What follows a product is done on each tile of sums while it is in the first cache.
template <class T>
class Cpu<T>::Executor : public detail::CpuExecutor<typename Cpu<T>::Element> {
  using Base = detail::CpuExecutor<Element>;

 public:
  explicit Executor(const Device& device)
      : Base(device.team(), *device.level().kernels),
        byte_products_(device.level().byte_products),
        products_(device.level().products) {}

  void dense(MatrixView<const Element> x, const Dense& w, MatrixView<Element> y,
             Activation activation = Activation::kNone) {
    multiply(x, w, activation == Activation::kGelu ? detail::Finish::kGelu : detail::Finish::kStore, y, {});
  }
  void dense(MatrixView<const Element> x, const Dense& w, MatrixView<float> y) requires(!std::same_as<Element, float>) {
    multiply(x, w, detail::Finish::kStoreWide, {}, y);
  }
  void dense_add(MatrixView<const Element> x, const Dense& w, MatrixView<float> y) {
    multiply(x, w, detail::Finish::kAddWide, {}, y);
  }

 private:
  void multiply(MatrixView<const Element> x, const Dense& w, detail::Finish finish, MatrixView<Element> y,
                MatrixView<float> wide) {
    if constexpr (std::same_as<T, std::int8_t>) {
      if (w.bytes) {
        return multiply_panels(quantized(x, w.bytes->padded_in()), *w.bytes, *byte_products_, finish, y, wide);
      }
    }
    multiply_panels(whole_depth(x), *w.element, *products_, finish, y, wide);
  }

  template <class Weight>
  void multiply_panels(MatrixView<const detail::ProductInput<Weight>> x, const detail::DensePanels<Weight>& w,
                       const detail::ProductKernels<Weight>& kernels, detail::Finish finish, MatrixView<Element> y,
                       MatrixView<float> wide) {
    const std::size_t scratch = this->team().size() * kernels.scratch;
    if (scratch_.size() < scratch) scratch_ = Tensor<float>({scratch});
    const detail::Partition rows = cut_rows(x.rows, w.panel_count(), kernels.row_grain);
    this->team().run(w.panel_count() * rows.count(), [&](std::size_t part, std::size_t thread) noexcept {
      const std::size_t panel = part / rows.count();
      const std::size_t block = part % rows.count();
      const auto block_of = [&](auto matrix) { return matrix.row_block(rows.first(block), rows.length(block)); };
      detail::PanelProduct<Weight> product = w.panel(panel);
      const auto panel_of = [&](auto matrix) {
        return matrix.data == nullptr ? matrix : block_of(matrix.col_block(w.first_col(panel), product.cols));
      };
      product.x = block_of(x);
      product.finish = finish;
      product.y = panel_of(y);
      product.wide = panel_of(wide);
      if constexpr (std::same_as<Weight, std::int8_t>) product.row_scales = scales_.data() + rows.first(block);
      kernels.multiply(product, scratch_.data() + thread * kernels.scratch);
    });
  }

  // All rows at once where there are panels enough to feed the threads; else so few that no thread waits for long.
  detail::Partition cut_rows(std::size_t rows, std::size_t panels, std::size_t grain) const {
    constexpr std::size_t kFewest = 24;
    const std::size_t threads = this->team().size();
    detail::Partition best(rows, detail::kProductRowsAtOnce, grain);
    double best_use = 0;
    for (std::size_t blocks = best.count(); blocks > 0 && (best_use == 0 || rows / blocks >= kFewest); ++blocks) {
      const detail::Partition cut(rows, ((rows + blocks - 1) / blocks + grain - 1) / grain * grain, grain);
      const std::size_t rounds = (panels * cut.count() + threads - 1) / threads;
      const double use = static_cast<double>(panels * rows) / static_cast<double>(rounds * threads * cut.size);
      if (use > best_use + 0.02) {
        best = cut;
        best_use = use;
      }
    }
    return best;
  }

  // Tokens as bytes, each with its scale.
  MatrixView<const std::uint8_t> quantized(MatrixView<const Element> x, std::size_t padded) {
    if (bytes_.size() < x.rows * padded) bytes_ = Tensor<std::uint8_t>({x.rows * padded});
    if (scales_.size() < x.rows) scales_ = Tensor<detail::ByteScale>({x.rows});
    this->for_rows(x.rows, [&](std::size_t row) noexcept {
      scales_(row) =
          this->kernels().quantize(x.row(row), x.cols, byte_products_->byte_steps, bytes_.data() + row * padded);
    });
    return {bytes_.data(), x.rows, padded};
  }

  // Tokens as wide as a product reads them: themselves, or a copy filled up with zeros.
  MatrixView<const Element> whole_depth(MatrixView<const Element> x) {
    const std::size_t grain = products_->depth_grain;
    if (x.cols % grain == 0 && x.stride % products_->slot == 0) return x;
    const std::size_t padded = (x.cols + grain - 1) / grain * grain;
    if (padded_.size() < x.rows * padded) padded_ = Tensor<Element>({x.rows * padded});
    for (std::size_t i = 0; i < x.rows; ++i) {
      Element* const row = padded_.data() + i * padded;
      std::fill(std::copy_n(x.row(i), x.cols, row), row + padded, Element{});
    }
    return {padded_.data(), x.rows, padded};
  }

  const detail::ProductKernels<std::int8_t>* byte_products_;
  const detail::ProductKernels<Element>* products_;
  Tensor<float> scratch_;             // [threads, what a product takes]
  Tensor<std::uint8_t> bytes_;        // tokens as bytes
  Tensor<detail::ByteScale> scales_;  // [rows]
  Tensor<Element> padded_;
};

static_assert(Backend<Cpu<float>>);
static_assert(Backend<Cpu<bfloat16>>);
static_assert(Backend<Cpu<std::int8_t>>);

}  // namespace rvm
