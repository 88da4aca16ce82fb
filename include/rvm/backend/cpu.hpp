#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/dense_panels.hpp>
#include <rvm/backend/cpu/executor.hpp>
#include <rvm/backend/host_buffer.hpp>

namespace rvm {

/// The fast CPU backend: kernels of our own for everything, chosen at run time for what the processor has, whatever the
/// host's compile flags. Needs no library. T is what dense layers multiply in:
///
///   float
///   bfloat16     the residual stream, norms, softmax, gates and state stay float
///   std::int8_t  as bfloat16, but dense layers multiply bytes: weights with a scale for every output, tokens with a
///                scale each, found as they come
///
/// The same frames give the same features on the same instruction set, bit for bit, for any number of threads and
/// streams. A warm step allocates nothing.
template <class T = float>
struct Cpu {
  static_assert(std::same_as<T, float> || std::same_as<T, bfloat16> || std::same_as<T, std::int8_t>,
                "Cpu computes in float, bfloat16 or std::int8_t");

  static constexpr std::string_view kName = "cpu";
  static constexpr bool kHostMemory = true;

  using Element = std::conditional_t<std::same_as<T, std::int8_t>, bfloat16, T>;
  using Norm = NormWeights;
  template <class U>
  using Buffer = HostBuffer<U>;

  struct Options {
    /// Threads of one model, the caller's included, shared by all its streams; 0 takes one per processor.
    std::size_t threads = 0;
    /// The most that may be used of the processor; nothing takes what it has. For tests and comparisons.
    std::optional<Isa> isa{};
  };

  /// A dense layer's packed kernel: in bytes, or as Element.
  struct Dense {
    std::optional<detail::DensePanels<std::int8_t>> bytes;
    std::optional<detail::DensePanels<Element>> element;
  };

  /// Keeps the threads. Safe to use from several threads.
  class Device {
   public:
    explicit Device(const Options& options)
        : team_(std::make_unique<ThreadTeam>(options.threads)),
          isa_(std::min(options.isa.value_or(best_isa()), best_isa())) {}

    /// Throws std::bad_alloc.
    Dense pack(DenseWeights weights) const {
      Dense dense;
      if (std::same_as<T, std::int8_t> && !weights.sensitive) {
        dense.bytes.emplace(weights, detail::cpu_products<std::int8_t>(isa_), *team_);
      } else {
        dense.element.emplace(weights, detail::cpu_products<Element>(isa_), *team_);
      }
      return dense;
    }
    Norm pack(NormWeights weights) const { return weights; }
    Buffer<float> upload(std::span<const float> values) const { return detail::upload(*this, values); }

    /// What computes, in a line for the user: the instruction set, and notice().
    std::string description() const { return std::string(name_of(isa_)) + (notice().empty() ? "" : "; " + notice()); }
    /// What a user should know who asked for speed; empty if there is nothing.
    std::string notice() const {
      return std::same_as<Element, float> || isa_ >= Isa::kAvx512Bf16
                 ? ""
                 : "this processor has no bfloat16 units: those products are computed in float";
    }

    ThreadTeam& team() const noexcept { return *team_; }
    Isa isa() const noexcept { return isa_; }

   private:
    std::unique_ptr<ThreadTeam> team_;
    Isa isa_;
  };

  class Executor;
};

/// The operations of concept.hpp. What follows a product is done on each tile of sums while it is in the first cache.
template <class T>
class Cpu<T>::Executor : public detail::CpuExecutor<typename Cpu<T>::Element> {
  using Base = detail::CpuExecutor<Element>;

 public:
  explicit Executor(const Device& device)
      : Base(device.team(), device.isa()),
        byte_products_(&detail::cpu_products<std::int8_t>(device.isa())),
        products_(&detail::cpu_products<Element>(device.isa())) {}

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
    multiply_panels(whole_slots(x), *w.element, *products_, finish, y, wide);
  }

  template <class Weight>
  void multiply_panels(MatrixView<const detail::ProductInput<Weight>> x, const detail::DensePanels<Weight>& w,
                       const detail::ProductKernels<Weight>& kernels, detail::Finish finish, MatrixView<Element> y,
                       MatrixView<float> wide) {
    const std::size_t per_thread = detail::kProductRowsAtOnce * kernels.panel_cols;
    if (sums_.size() < this->team().size() * per_thread) sums_ = Tensor<float>({this->team().size() * per_thread});
    const detail::Partition rows(x.rows, rows_at_once(x.rows, w.panel_count()), 1);
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
      kernels.multiply(product, sums_.data() + thread * per_thread);
    });
  }

  // All rows at once where there are panels enough to feed the threads; else so few that no thread waits for long.
  std::size_t rows_at_once(std::size_t rows, std::size_t panels) const {
    constexpr std::size_t kFewest = 24;
    const std::size_t threads = this->team().size();
    std::size_t blocks = (rows + detail::kProductRowsAtOnce - 1) / detail::kProductRowsAtOnce;
    std::size_t best = blocks;
    double best_use = 0;
    for (; blocks == 1 || rows / blocks >= kFewest; ++blocks) {
      const std::size_t parts = panels * blocks;
      const std::size_t rounds = (parts + threads - 1) / threads;
      const double use = static_cast<double>(parts) / static_cast<double>(rounds * threads);
      if (use > best_use + 0.02) {
        best = blocks;
        best_use = use;
      }
    }
    return (rows + best - 1) / best;
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

  // Tokens whose width is a whole number of a product's slots: themselves, or a copy filled up with zeros.
  MatrixView<const Element> whole_slots(MatrixView<const Element> x) {
    const std::size_t slot = products_->slot;
    if (x.cols % slot == 0 && x.stride % slot == 0) return x;
    const std::size_t padded = (x.cols + slot - 1) / slot * slot;
    if (padded_.size() < x.rows * padded) padded_ = Tensor<Element>({x.rows * padded});
    for (std::size_t i = 0; i < x.rows; ++i) {
      Element* const row = padded_.data() + i * padded;
      std::fill(std::copy_n(x.row(i), x.cols, row), row + padded, Element{});
    }
    return {padded_.data(), x.rows, padded};
  }

  const detail::ProductKernels<std::int8_t>* byte_products_;
  const detail::ProductKernels<Element>* products_;
  Tensor<float> sums_;                // [threads, one block of rows of a panel]
  Tensor<std::uint8_t> bytes_;        // tokens as bytes
  Tensor<detail::ByteScale> scales_;  // [rows]
  Tensor<Element> padded_;
};

static_assert(Backend<Cpu<float>>);
static_assert(Backend<Cpu<bfloat16>>);
static_assert(Backend<Cpu<std::int8_t>>);

}  // namespace rvm
