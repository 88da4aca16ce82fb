#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/detail/eigen_product.hpp>
#include <rvm/backend/host_buffer.hpp>
#include <rvm/backend/host_executor.hpp>
#include <rvm/core/detail/partition.hpp>
#include <rvm/core/thread_team.hpp>

namespace rvm {

/// The portable reference: float on the host, several threads, nothing needed but Eigen. Its results do not depend on
/// the number of threads. Speed follows the host's compile flags (-march=native), as everything of Eigen does, so that
/// all translation units of a program that use it must be compiled with the same ones.
template <class T = float>
struct EigenCpu {
  static_assert(std::same_as<T, float>, "the Eigen backend computes in float");

  static constexpr std::string_view kName = "eigen";
  static constexpr bool kHostMemory = true;

  using Element = float;
  using Dense = DenseWeights;
  using Norm = NormWeights;
  template <class U>
  using Buffer = HostBuffer<U>;

  struct Options {
    /// Threads of one model, the caller's included, shared by all its streams; 0 takes as many as this process may use
    /// (ThreadTeam).
    std::size_t threads = 0;
  };

  /// Keeps the threads. Safe to use from several threads.
  class Device {
   public:
    explicit Device(const Options& options) : team_(std::make_unique<ThreadTeam>(options.threads)) {}

    Dense pack(DenseWeights weights) const { return weights; }
    Norm pack(NormWeights weights) const { return weights; }
    Buffer<float> upload(std::span<const float> values) const { return detail::upload(*this, values); }
    ThreadTeam& team() const noexcept { return *team_; }

   private:
    std::unique_ptr<ThreadTeam> team_;
  };

  class Executor;
};

/// The operations of concept.hpp, cut into parts for the device's threads.
template <class T>
class EigenCpu<T>::Executor : public detail::HostExecutor {
 public:
  explicit Executor(const Device& device) : HostExecutor(device.team()) {}

  void patches(std::span<const FrameView> frames, MatrixView<float> out) const { cut_patches(frames, out); }

  void dense(MatrixView<const float> x, const Dense& w, MatrixView<float> y,
             Activation activation = Activation::kNone) {
    multiply(x, w, y, detail::Accumulate::kNo, activation);
  }
  void dense_add(MatrixView<const float> x, const Dense& w, MatrixView<float> y) {
    multiply(x, w, y, detail::Accumulate::kYes, Activation::kNone);
  }

  void layer_norm(MatrixView<const float> x, const Norm& norm, MatrixView<float> y) {
    for_rows(x.rows, [&](std::size_t row) noexcept { normalize(x.row(row), norm, y.row(row)); });
  }
  void convert(MatrixView<const float> x, MatrixView<float> y) {
    for_rows(x.rows, [&](std::size_t row) noexcept { std::copy_n(x.row(row), x.cols, y.row(row)); });
  }

  void attention(const AttentionShape& shape, MatrixView<const float> q, MatrixView<const float> k,
                 MatrixView<const float> v, MatrixView<float> out) {
    const detail::Partition blocks(shape.queries, kQueryBlock, 1);
    // Every row of scores is aligned: where a vector begins decides how Eigen rounds, and must not depend on the
    // thread.
    const std::size_t stride = (shape.keys + kAlignedFloats - 1) / kAlignedFloats * kAlignedFloats;
    const std::size_t scores_per_thread = blocks.size * stride;
    if (const std::size_t needed = team().size() * scores_per_thread; scores_.size() < needed) {
      scores_ = Tensor<float>({needed});
    }
    team().run(shape.batch * shape.heads * blocks.count(), [&](std::size_t part, std::size_t thread) noexcept {
      const std::size_t block = part % blocks.count();
      const std::size_t column = part / blocks.count() % shape.heads * shape.head_dim;
      const std::size_t group = part / blocks.count() / shape.heads;
      const std::size_t first_query = group * shape.queries + blocks.first(block);
      const std::size_t queries = blocks.length(block);
      const auto head = [&](auto matrix, std::size_t first_row, std::size_t rows) {
        return matrix.row_block(first_row, rows).col_block(column, shape.head_dim);
      };
      attend(head(q, first_query, queries), head(k, group * shape.keys, shape.keys),
             head(v, group * shape.keys, shape.keys),
             {scores_.data() + thread * scores_per_thread, queries, shape.keys, stride},
             head(out, first_query, queries));
    });
  }

  void reset_gate(MatrixView<const float> input_part, MatrixView<const float> state_part, MatrixView<const float> state,
                  const Norm& norm, MatrixView<float> out) {
    for_rows(state.rows, [&](std::size_t row) noexcept {
      normalize(state.row(row), norm, out.row(row));
      detail::eigen_row(out.row(row), out.cols) *= gate(input_part.row(row), state_part.row(row), out.cols);
    });
  }

  void update_gate(MatrixView<const float> input_part, MatrixView<const float> state_part,
                   MatrixView<const float> state, MatrixView<const float> x, const Norm& norm, MatrixView<float> next) {
    for_rows(state.rows, [&](std::size_t row) noexcept {
      normalize(x.row(row), norm, next.row(row));
      const auto old = detail::eigen_row(state.row(row), state.cols);
      auto candidate = detail::eigen_row(next.row(row), next.cols);
      candidate = old + gate(input_part.row(row), state_part.row(row), next.cols) * (candidate - old);
    });
  }

 private:
  static constexpr std::size_t kQueryBlock = 64;
  static constexpr std::size_t kAlignedFloats = Tensor<float>::kAlignment / sizeof(float);

  void multiply(MatrixView<const float> x, const Dense& w, MatrixView<float> y, detail::Accumulate accumulate,
                Activation activation) const {
    const detail::Partition rows(y.rows, detail::kProductRows, 1);
    const detail::Partition cols(y.cols, detail::kProductCols, 16);
    const MatrixView<const float> kernel(w.kernel.data(), x.cols, y.cols);
    team().run(rows.count() * cols.count(), [&](std::size_t part, std::size_t) noexcept {
      const std::size_t row_part = part % rows.count();
      const std::size_t col_part = part / rows.count();
      const std::size_t first_col = cols.first(col_part);
      const auto out =
          y.row_block(rows.first(row_part), rows.length(row_part)).col_block(first_col, cols.length(col_part));
      detail::product_block(x.row_block(rows.first(row_part), rows.length(row_part)),
                            kernel.col_block(first_col, cols.length(col_part)), out, accumulate);
      for (std::size_t i = 0; i < out.rows; ++i) {
        auto row = detail::eigen_row(out.row(i), out.cols);
        if (!w.bias.empty()) row += detail::eigen_row(w.bias.data() + first_col, out.cols);
        if (activation == Activation::kGelu) gelu(row);
      }
    });
  }

  // GELU in its tanh approximation.
  static void gelu(detail::EigenRow x) {
    constexpr float kSqrt2OverPi = 0.7978845608028654F;
    x = 0.5F * x * (1.0F + (kSqrt2OverPi * (x + 0.044715F * x.cube())).tanh());
  }

  static void normalize(const float* x, const Norm& norm, float* y) {
    const std::size_t width = norm.scale.size();
    const auto in = detail::eigen_row(x, width);
    auto out = detail::eigen_row(y, width);
    const float mean = in.mean();
    const float variance = (in - mean).square().mean();
    out = (in - mean) * (1.0F / std::sqrt(variance + norm.epsilon)) * detail::eigen_row(norm.scale.data(), width);
    if (!norm.bias.empty()) out += detail::eigen_row(norm.bias.data(), width);
  }

  // sigmoid(a + b), as an expression.
  static auto gate(const float* a, const float* b, std::size_t n) {
    return (1.0F + (-(detail::eigen_row(a, n) + detail::eigen_row(b, n))).exp()).inverse();
  }

  // One head's block of queries against all its keys; scores: [queries, keys].
  static void attend(MatrixView<const float> q, MatrixView<const float> k, MatrixView<const float> v,
                     MatrixView<float> scores, MatrixView<float> out) {
    const float scale = 1.0F / std::sqrt(static_cast<float>(q.cols));
    detail::product_transposed(q, k, scores);
    for (std::size_t i = 0; i < q.rows; ++i) {
      auto row = detail::eigen_row(scores.row(i), k.rows);
      row = ((row - row.maxCoeff()) * scale).exp();
      row *= 1.0F / row.sum();
    }
    for (std::size_t c = 0; c < v.cols; c += detail::kProductCols) {
      const std::size_t cols = std::min(detail::kProductCols, v.cols - c);
      detail::product_block(scores, v.col_block(c, cols), out.col_block(c, cols), detail::Accumulate::kNo);
    }
  }

  Tensor<float> scores_;  // [threads, query block, keys]
};

static_assert(Backend<EigenCpu<float>>);

}  // namespace rvm
