#pragma once

#include <cstddef>
#include <string>

#include <rvm/layers/layer_norm.hpp>
#include <rvm/layers/linear.hpp>
#include <rvm/layers/workspace.hpp>

namespace rvm {

/// x += dense_out(gelu(dense_in(norm(x)))): the MLP sub-block of a transformer, GELU in its tanh approximation.
template <Backend B>
class Mlp {
 public:
  /// Reads norm_key/..., key/dense_in/... and key/dense_out/.... Throws WeightsError.
  Mlp(const typename B::Device& device, WeightReader& reader, const std::string& norm_key, const std::string& key,
      std::size_t width, std::size_t hidden)
      : norm_(device, read_norm(reader, norm_key, width)),
        in_(device, reader, {dense_part(key + "/dense_in", width, hidden)}),
        out_(device, reader, {dense_part(key + "/dense_out", hidden, width)}) {}

  /// x: the residual stream [rows, width].
  void operator()(typename B::Executor& run, Workspace<B>& workspace, MatrixView<float> x) const {
    const auto normed = workspace.normed(x.rows, x.cols);
    const auto hidden = workspace.hidden(x.rows, in_.out());
    norm_(run, x, normed);
    in_(run, normed, hidden, Activation::kGelu);
    out_.add(run, hidden, x);
  }

 private:
  LayerNorm<B> norm_;
  Linear<B> in_;
  Linear<B> out_;
};

}  // namespace rvm
