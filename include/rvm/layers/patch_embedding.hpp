#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/layers/linear.hpp>
#include <rvm/layers/position_encoding.hpp>

namespace rvm {

/// Frames to tokens (spec, section 2, steps 1 to 3): every 16x16 patch times a kernel, plus bias, plus the position
/// encoding of its place; before them the class token, which has no position.
///
/// What does not depend on the pixels is one table per grid, [1 + h * w, width]: the class token, then bias + position.
/// A frame's tokens are that table plus one product over its patches, whose first row is zero.
template <Backend B>
class PatchEmbedding {
 public:
  using Table = typename B::template Buffer<float>;

  /// Reads cls_token and tokenizer/.... Throws WeightsError.
  PatchEmbedding(const typename B::Device& device, WeightReader& reader, std::size_t width)
      : width_(width),
        class_token_(reader.read("cls_token", {1, width})),
        bias_(reader.read("tokenizer/patch_embedding/Conv_0/bias", {width})),
        kernel_(device, reader, {patch_part(width)}, true) {}  // every layer adds to what it gives

  /// The table of a grid of h x w patches.
  Table table(const typename B::Device& device, std::size_t h, std::size_t w) const {
    const detail::FloatEnvironment environment;
    Tensor<float> table({1 + h * w, width_});
    std::copy(class_token_.begin(), class_token_.end(), table.begin());
    const Tensor<float> position = position_encoding(h, w, width_);
    for (std::size_t p = 0; p < h * w; ++p) {
      for (std::size_t d = 0; d < width_; ++d) table(1 + p, d) = bias_(d) + position.span()[p * width_ + d];
    }
    return device.upload(table.span());
  }

  /// patches: [frames * (1 + h * w), 768] as the backend's patches() lays them out; x: the tokens, [same rows, width].
  void operator()(typename B::Executor& run, MatrixView<const typename B::Element> patches, const Table& table,
                  MatrixView<float> x) const {
    if constexpr (requires { run.repeat(MatrixView<const float>(), x); }) {
      run.repeat(MatrixView<const float>(table.data(), table.size() / width_, width_), x);
    } else {
      for (std::size_t i = 0; i < x.rows * width_; i += table.size()) run.copy(table.data(), x.data + i, table.size());
    }
    kernel_.add(run, patches, x);
  }
  /// The same for chosen patches alone: row i of x and of `patches` is at row rows[i] of the table, 0 being the class
  /// token's.
  void operator()(typename B::Executor& run, MatrixView<const typename B::Element> patches, const Table& table,
                  std::span<const std::size_t> rows, MatrixView<float> x) const {
    for (std::size_t i = 0; i < rows.size(); ++i) run.copy(table.data() + rows[i] * width_, x.row(i), width_);
    kernel_.add(run, patches, x);
  }

 private:
  static LinearPart patch_part(std::size_t width) {
    return {"tokenizer/patch_embedding/Conv_0", kPatchValues, width, {1, kPatchSize, kPatchSize, 3, width}, {}};
  }

  std::size_t width_;
  Tensor<float> class_token_;
  Tensor<float> bias_;
  Linear<B> kernel_;
};

}  // namespace rvm
