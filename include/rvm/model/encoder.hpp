#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <rvm/layers/attention.hpp>
#include <rvm/layers/cross_transformer.hpp>
#include <rvm/layers/mlp.hpp>

namespace rvm {

/// The ViT that reads one frame (spec, section 2, step 4): pre-norm blocks of self-attention and MLP, then a norm.
template <Backend B>
class Encoder {
 public:
  /// Reads encoder/.... Throws WeightsError.
  Encoder(const typename B::Device& device, WeightReader& reader, std::size_t width, const TransformerConfig& config)
      : norm_(device, read_norm(reader, "encoder/LayerNorm_0", width)) {
    blocks_.reserve(config.depth);
    for (std::size_t i = 0; i < config.depth; ++i) {
      const std::string key = "encoder/layers_" + std::to_string(i);
      blocks_.push_back(
          {{device, reader, key + "/attention_norm", key + "/attention", width, config.heads, config.head_dim},
           {device, reader, key + "/mlp_norm", key + "/mlp", width, config.mlp}});
    }
  }

  /// x: tokens [batch * N, width], replaced by their encoding.
  void operator()(typename B::Executor& run, Workspace<B>& workspace, MatrixView<float> x, std::size_t batch) const {
    for (const Block& block : blocks_) {
      block.attention(run, workspace, x, batch);
      block.mlp(run, workspace, x);
    }
    norm_(run, x, x);
  }

 private:
  struct Block {
    SelfAttention<B> attention;
    Mlp<B> mlp;
  };

  std::vector<Block> blocks_;
  LayerNorm<B> norm_;
};

}  // namespace rvm
