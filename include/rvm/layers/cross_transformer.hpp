#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <rvm/layers/attention.hpp>
#include <rvm/layers/mlp.hpp>

namespace rvm {

/// Depth and widths of a stack of transformer blocks.
struct TransformerConfig {
  std::size_t depth = 0;
  std::size_t heads = 0;
  std::size_t head_dim = 0;
  std::size_t mlp = 0;

  std::size_t inner() const noexcept { return heads * head_dim; }
  friend bool operator==(const TransformerConfig&, const TransformerConfig&) = default;
};

/// Scratch that a stack of blocks over tokens of `width` needs.
inline WorkspaceWidths workspace_widths(std::size_t width, const TransformerConfig& config) {
  return {width, 3 * config.inner(), config.inner(), config.mlp};
}

/// Blocks of cross-attention, MLP and self-attention, in this order (spec, section 2.6). The keys and values of all
/// blocks share one input, so they are one product. The norm after the last block is the caller's: the recurrent core
/// has it inside its update gate.
template <Backend B>
class CrossTransformer {
 public:
  using Element = typename B::Element;

  /// Reads key/xa_blocks_i/.... Throws WeightsError.
  CrossTransformer(const typename B::Device& device, WeightReader& reader, const std::string& key, std::size_t width,
                   const TransformerConfig& config)
      : inner_(config.inner()), keys_values_(device, reader, key_value_parts(key, width, config)) {
    blocks_.reserve(config.depth);
    for (std::size_t i = 0; i < config.depth; ++i) {
      const std::string block = block_key(key, i);
      blocks_.push_back(
          {{device, reader, block + "/ca_attention_norm", block + "/ca_attention", width, config.heads,
            config.head_dim},
           {device, reader, block + "/mlp_norm", block + "/mlp", width, config.mlp},
           {device, reader, block + "/attention_norm", block + "/attention", width, config.heads, config.head_dim}});
    }
  }

  /// Columns of the keys and values of all blocks.
  std::size_t keys_values_width() const noexcept { return keys_values_.out(); }

  /// memory [batch * tokens, width] -> [batch * tokens, keys_values_width()], for operator().
  void project(typename B::Executor& run, MatrixView<const Element> memory, MatrixView<Element> keys_values) const {
    keys_values_(run, memory, keys_values, Activation::kNone);
  }

  /// x: the residual stream [batch * queries, width], changed in place.
  void operator()(typename B::Executor& run, Workspace<B>& workspace, MatrixView<float> x,
                  MatrixView<const Element> keys_values, std::size_t batch) const {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const Block& block = blocks_[i];
      block.cross_attention(run, workspace, x, keys_values.col_block(2 * i * inner_, inner_),
                            keys_values.col_block((2 * i + 1) * inner_, inner_), batch);
      block.mlp(run, workspace, x);
      block.self_attention(run, workspace, x, batch);
    }
  }

 private:
  struct Block {
    CrossAttention<B> cross_attention;
    Mlp<B> mlp;
    SelfAttention<B> self_attention;
  };

  static std::string block_key(const std::string& key, std::size_t i) {
    return key + "/xa_blocks_" + std::to_string(i);
  }

  static std::vector<LinearPart> key_value_parts(const std::string& key, std::size_t width,
                                                 const TransformerConfig& config) {
    std::vector<LinearPart> parts;
    for (std::size_t i = 0; i < config.depth; ++i) {
      for (const char* name : {"/ca_attention/key", "/ca_attention/value"}) {
        parts.push_back(heads_part(block_key(key, i) + name, width, config.heads, config.head_dim));
      }
    }
    return parts;
  }

  std::size_t inner_;
  Linear<B> keys_values_;
  std::vector<Block> blocks_;
};

}  // namespace rvm
