#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <rvm/core/error.hpp>
#include <rvm/layers/cross_transformer.hpp>
#include <rvm/weights/limits.hpp>
#include <rvm/weights/reader.hpp>

namespace rvm {

/// Offsets in time that the decoder knows: 0 .. kOffsets - 1 frames (spec, section 4).
inline constexpr std::size_t kOffsets = 64;

/// Sizes of the decoder that reconstructs masked frames.
struct DecoderConfig {
  std::size_t width = 0;
  TransformerConfig transformer;
  friend bool operator==(const DecoderConfig&, const DecoderConfig&) = default;
};

/// Sizes of a model (spec, section 1). The patch is 16 x 16 RGB in all of them.
struct Config {
  std::size_t width = 0;      // of a token
  TransformerConfig encoder;  // self-attention blocks
  TransformerConfig core;     // blocks of the recurrent core
  std::optional<DecoderConfig> decoder;
  friend bool operator==(const Config&, const Config&) = default;

  /// The published variants "S", "B", "L" and "H", with the decoder that all of them have. Throws ArgumentError for
  /// another name.
  static Config variant(std::string_view name) {
    const DecoderConfig decoder{512, {8, 16, 32, 2048}};
    if (name == "S") return {384, {12, 6, 64, 1536}, {4, 8, 48, 2048}, decoder};
    if (name == "B") return {768, {12, 12, 64, 3072}, {4, 12, 64, 3072}, decoder};
    if (name == "L") return {1024, {24, 16, 64, 4096}, {4, 16, 64, 4096}, decoder};
    if (name == "H") return {1280, {32, 16, 80, 5120}, {4, 16, 80, 5120}, decoder};
    throw ArgumentError("unknown variant \"" + std::string(name) + "\": expected S, B, L or H");
  }
};

namespace detail {

// Blocks are numbered from 0; their number is one more than the highest that any key names, so that a missing block is
// found missing rather than taken for the end.
inline std::size_t count_blocks(const Weights& weights, std::string_view prefix) {
  std::size_t count = 0;
  for (const std::string& key : weights.keys()) {
    if (!key.starts_with(prefix)) continue;
    std::size_t index = 0;
    const char* const end = key.data() + key.size();
    const auto parsed = std::from_chars(key.data() + prefix.size(), end, index);
    if (parsed.ec != std::errc{} || parsed.ptr == end || *parsed.ptr != '/' || index >= kBlockLimit) continue;
    count = std::max(count, index + 1);
  }
  if (count == 0) {
    throw WeightsError(weights.source(), std::string(prefix) + "0", "at least one block", "no such key");
  }
  return count;
}

inline TransformerConfig read_transformer(const WeightReader& reader, const std::string& prefix,
                                          const std::string& attention, std::size_t width) {
  const std::string block = prefix + "0";
  const std::string query = block + attention + "/query/kernel";
  const Shape heads = reader.shape(query, 3);
  const Shape hidden = reader.shape(block + "/mlp/dense_in/kernel", 2);
  if (heads[0] != width || heads[1] == 0 || heads[2] == 0) {
    throw WeightsError(reader.weights().source(), query,
                       "shape (" + std::to_string(width) + ", heads, head_dim) to agree with the token width",
                       "shape " + to_string(heads));
  }
  return {count_blocks(reader.weights(), prefix), heads[1], heads[2], hidden[1]};
}

}  // namespace detail

/// Reads the sizes of encoder and core from the arrays' shapes; `decoder` stays empty and its arrays untouched.
/// Throws WeightsError if an array that tells a size is missing or of an impossible shape.
inline Config read_config(const WeightReader& reader) {
  Config config;
  config.width = reader.shape("cls_token", 2)[1];
  config.encoder = detail::read_transformer(reader, "encoder/layers_", "/attention", config.width);
  config.core = detail::read_transformer(reader, "rnn_core/transformer/xa_blocks_", "/attention", config.width);
  return config;
}

/// Reads the decoder's sizes from the arrays' shapes. Throws WeightsError.
inline DecoderConfig read_decoder_config(const WeightReader& reader) {
  const std::size_t width = reader.shape("mask_token", 2)[1];
  return {width, detail::read_transformer(reader, "decoder/xa_blocks_", "/attention", width)};
}

}  // namespace rvm
