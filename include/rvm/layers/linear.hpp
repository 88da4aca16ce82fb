#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <rvm/backend/concept.hpp>
#include <rvm/weights/reader.hpp>

namespace rvm {

/// One dense layer of a checkpoint: key/kernel of `in` x `out` numbers and, with `bias` not of rank 0, key/bias.
struct LinearPart {
  std::string key;
  std::size_t in = 0;
  std::size_t out = 0;
  Shape kernel;
  Shape bias;
};

/// A plain dense layer, [in] -> [out].
inline LinearPart dense_part(std::string key, std::size_t in, std::size_t out) {
  return {std::move(key), in, out, {in, out}, {out}};
}
/// A dense layer without bias.
inline LinearPart unbiased_part(std::string key, std::size_t in, std::size_t out) {
  return {std::move(key), in, out, {in, out}, {}};
}
/// The projection of tokens to a query, key or value per head: kernel (in, heads, head_dim).
inline LinearPart heads_part(std::string key, std::size_t in, std::size_t heads, std::size_t head_dim) {
  return {std::move(key), in, heads * head_dim, {in, heads, head_dim}, {heads, head_dim}};
}
/// The projection of all heads back to tokens: kernel (heads, head_dim, out).
inline LinearPart merge_part(std::string key, std::size_t heads, std::size_t head_dim, std::size_t out) {
  return {std::move(key), heads * head_dim, out, {heads, head_dim, out}, {out}};
}

/// y = x W + b for rows of tokens. Several layers of the checkpoint that share their input stand side by side as one
/// product: their outputs are neighbouring columns of y, in the order given.
template <Backend B>
class Linear {
 public:
  using Element = typename B::Element;
  using Executor = typename B::Executor;

  /// Reads and packs the parts; all have the same `in`. `sensitive` as in DenseWeights. Throws WeightsError.
  Linear(const typename B::Device& device, WeightReader& reader, const std::vector<LinearPart>& parts,
         bool sensitive = false)
      : weights_(device.pack(read(reader, parts, sensitive))) {
    for (const LinearPart& part : parts) out_ += part.out;
  }

  /// Columns of y.
  std::size_t out() const noexcept { return out_; }

  /// y = activation(x W + b), y feeding further products.
  void operator()(Executor& run, MatrixView<const Element> x, MatrixView<Element> y, Activation activation) const {
    run.dense(x, weights_, y, activation);
  }
  /// y = x W + b in float.
  void operator()(Executor& run, MatrixView<const Element> x, MatrixView<float> y) const { run.dense(x, weights_, y); }
  /// y += x W + b, y being the residual stream.
  void add(Executor& run, MatrixView<const Element> x, MatrixView<float> y) const { run.dense_add(x, weights_, y); }

 private:
  static DenseWeights read(WeightReader& reader, const std::vector<LinearPart>& parts, bool sensitive) {
    // What the other arrays say of the sizes must not cost memory before each part is there and agrees.
    std::vector<std::pair<Tensor<float>, Tensor<float>>> read_parts;
    std::size_t out = 0;
    bool biased = false;
    for (const LinearPart& part : parts) {
      Tensor<float> kernel = reader.read(part.key + "/kernel", part.kernel);
      Tensor<float> bias;
      if (part.bias.rank() != 0) bias = reader.read(part.key + "/bias", part.bias);
      read_parts.emplace_back(std::move(kernel), std::move(bias));
      out += part.out;
      biased |= part.bias.rank() != 0;
    }
    const std::size_t in = parts.front().in;
    DenseWeights merged{Tensor<float>({in, out}), Tensor<float>({biased ? out : 0}), sensitive};
    std::size_t column = 0;
    for (auto& [kernel, bias] : read_parts) {
      const std::size_t columns = kernel.size() / in;
      for (std::size_t row = 0; row < in; ++row) {
        std::copy_n(kernel.data() + row * columns, columns, merged.kernel.data() + row * out + column);
      }
      if (!bias.empty()) std::copy(bias.begin(), bias.end(), merged.bias.data() + column);
      kernel = Tensor<float>();  // of braces Clang 14 makes one here that it never destroys
      column += columns;
    }
    return merged;
  }

  typename B::Dense weights_;
  std::size_t out_ = 0;
};

}  // namespace rvm
