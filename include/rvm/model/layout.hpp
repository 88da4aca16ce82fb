#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <rvm/image/patches.hpp>
#include <rvm/model/config.hpp>

namespace rvm {

/// What an array of a checkpoint is for; random weights are drawn accordingly.
enum class ArrayRole : std::uint8_t { kKernel, kBias, kScale, kToken };

/// One array of a checkpoint in the official layout (spec, section 5).
struct ArrayDescription {
  std::string key;
  Shape shape;
  ArrayRole role = ArrayRole::kKernel;
  std::size_t fan_in = 1;  // of a kernel: how many products are summed into one output
};

namespace detail {

/// Collects descriptions under keys of one layout.
class LayoutWriter {
 public:
  std::vector<ArrayDescription> take() { return std::move(arrays_); }

  void token(const std::string& key, std::size_t width) { add(key, {1, width}, ArrayRole::kToken); }
  void kernel(const std::string& key, const Shape& shape, std::size_t fan_in) {
    arrays_.push_back({key + "/kernel", shape, ArrayRole::kKernel, fan_in});
  }
  void bias(const std::string& key, const Shape& shape) { add(key + "/bias", shape, ArrayRole::kBias); }
  void dense(const std::string& key, std::size_t in, std::size_t out) {
    kernel(key, {in, out}, in);
    bias(key, {out});
  }
  void state_norm(const std::string& key, std::size_t width) { add(key + "/scale", {width}, ArrayRole::kScale); }
  void norm(const std::string& key, std::size_t width) {
    state_norm(key, width);
    bias(key, {width});
  }
  void attention(const std::string& key, std::size_t width, const TransformerConfig& config) {
    for (const char* name : {"/query", "/key", "/value"}) {
      kernel(key + name, {width, config.heads, config.head_dim}, width);
      bias(key + name, {config.heads, config.head_dim});
    }
    kernel(key + "/out", {config.heads, config.head_dim, width}, config.inner());
    bias(key + "/out", {width});
  }
  void mlp(const std::string& key, std::size_t width, std::size_t hidden) {
    dense(key + "/dense_in", width, hidden);
    dense(key + "/dense_out", hidden, width);
  }
  void cross_transformer(const std::string& key, std::size_t width, const TransformerConfig& config) {
    for (std::size_t i = 0; i < config.depth; ++i) {
      const std::string block = key + "/xa_blocks_" + std::to_string(i);
      norm(block + "/ca_attention_norm", width);
      attention(block + "/ca_attention", width, config);
      norm(block + "/mlp_norm", width);
      mlp(block + "/mlp", width, config.mlp);
      norm(block + "/attention_norm", width);
      attention(block + "/attention", width, config);
    }
    norm(key + "/output_norm", width);
  }

 private:
  void add(std::string key, const Shape& shape, ArrayRole role) { arrays_.push_back({std::move(key), shape, role, 1}); }

  std::vector<ArrayDescription> arrays_;
};

}  // namespace detail

/// Every array of a checkpoint of these sizes, with its shape; the decoder's too if the configuration has one.
inline std::vector<ArrayDescription> checkpoint_layout(const Config& config) {
  detail::LayoutWriter out;
  out.token("cls_token", config.width);
  out.kernel("tokenizer/patch_embedding/Conv_0", {1, kPatchSize, kPatchSize, 3, config.width}, kPatchValues);
  out.bias("tokenizer/patch_embedding/Conv_0", {config.width});
  for (std::size_t i = 0; i < config.encoder.depth; ++i) {
    const std::string layer = "encoder/layers_" + std::to_string(i);
    out.norm(layer + "/attention_norm", config.width);
    out.attention(layer + "/attention", config.width, config.encoder);
    out.norm(layer + "/mlp_norm", config.width);
    out.mlp(layer + "/mlp", config.width, config.encoder.mlp);
  }
  out.norm("encoder/LayerNorm_0", config.width);
  for (const char* gate : {"input_update", "input_reset", "state_update", "state_reset"}) {
    out.kernel(std::string("rnn_core/") + gate, {config.width, config.width}, config.width);
  }
  out.state_norm("rnn_core/state_layer_norm", config.width);
  out.cross_transformer("rnn_core/transformer", config.width, config.core);
  if (config.decoder) {
    const DecoderConfig& decoder = *config.decoder;
    out.token("mask_token", decoder.width);
    out.dense("decoder_embedder", config.width, decoder.width);
    out.dense("delta_embedder", kOffsets, decoder.width);
    out.cross_transformer("decoder", decoder.width, decoder.transformer);
    out.dense("detokenizer/Dense_0", decoder.width, kPatchValues);
  }
  return out.take();
}

/// The keys of `weights` that no part of a model reads, in the file's order; a decoder's are known if there is one.
/// Throws WeightsError if the sizes cannot be read.
inline std::vector<std::string> unknown_keys(const Weights& weights) {
  const WeightReader reader(weights);
  Config config = read_config(reader);
  if (weights.contains("mask_token")) config.decoder = read_decoder_config(reader);
  std::unordered_set<std::string> known;
  for (ArrayDescription& array : checkpoint_layout(config)) known.insert(std::move(array.key));
  std::vector<std::string> unknown = weights.keys();
  std::erase_if(unknown, [&](const std::string& key) { return known.contains(key); });
  return unknown;
}

}  // namespace rvm
