#pragma once

#include <cstddef>
#include <string>

#include <rvm/layers/layer_norm.hpp>
#include <rvm/layers/linear.hpp>
#include <rvm/layers/workspace.hpp>

namespace rvm {

/// x += out(attention(q, k, v of norm(x))): the self-attention sub-block of a transformer. Queries, keys and values are
/// one product.
template <Backend B>
class SelfAttention {
 public:
  /// Reads norm_key/... and key/query|key|value|out/.... Throws WeightsError.
  SelfAttention(const typename B::Device& device, WeightReader& reader, const std::string& norm_key,
                const std::string& key, std::size_t width, std::size_t heads, std::size_t head_dim)
      : heads_(heads),
        head_dim_(head_dim),
        norm_(device, read_norm(reader, norm_key, width)),
        query_key_value_(
            device, reader,
            {heads_part(key + "/query", width, heads, head_dim), heads_part(key + "/key", width, heads, head_dim),
             heads_part(key + "/value", width, heads, head_dim)}),
        out_(device, reader, {merge_part(key + "/out", heads, head_dim, width)}) {}

  /// x: the residual stream [batch * tokens, width]; each of the batch attends to itself.
  void operator()(typename B::Executor& run, Workspace<B>& workspace, MatrixView<float> x, std::size_t batch) const {
    const std::size_t inner = heads_ * head_dim_;
    const std::size_t tokens = x.rows / batch;
    const auto normed = workspace.normed(x.rows, x.cols);
    const auto qkv = workspace.projected(x.rows, 3 * inner);
    const auto attended = workspace.attended(x.rows, inner);
    norm_(run, x, normed);
    query_key_value_(run, normed, qkv, Activation::kNone);
    run.attention({batch, heads_, head_dim_, tokens, tokens}, qkv.col_block(0, inner), qkv.col_block(inner, inner),
                  qkv.col_block(2 * inner, inner), attended);
    out_.add(run, attended, x);
  }

 private:
  std::size_t heads_;
  std::size_t head_dim_;
  LayerNorm<B> norm_;
  Linear<B> query_key_value_;
  Linear<B> out_;
};

/// x += out(attention(q of norm(x), k, v)): the cross-attention sub-block. Keys and values come ready from outside,
/// where those of all blocks are one product.
template <Backend B>
class CrossAttention {
 public:
  using Element = typename B::Element;

  /// Reads norm_key/... and key/query|out/.... Throws WeightsError.
  CrossAttention(const typename B::Device& device, WeightReader& reader, const std::string& norm_key,
                 const std::string& key, std::size_t width, std::size_t heads, std::size_t head_dim)
      : heads_(heads),
        head_dim_(head_dim),
        norm_(device, read_norm(reader, norm_key, width)),
        query_(device, reader, {heads_part(key + "/query", width, heads, head_dim)}),
        out_(device, reader, {merge_part(key + "/out", heads, head_dim, width)}) {}

  /// x: the residual stream [batch * queries, width]; keys, values: [batch * tokens, heads * head_dim].
  void operator()(typename B::Executor& run, Workspace<B>& workspace, MatrixView<float> x,
                  MatrixView<const Element> keys, MatrixView<const Element> values, std::size_t batch) const {
    const std::size_t inner = heads_ * head_dim_;
    const auto normed = workspace.normed(x.rows, x.cols);
    const auto queries = workspace.projected(x.rows, inner);
    const auto attended = workspace.attended(x.rows, inner);
    norm_(run, x, normed);
    query_(run, normed, queries, Activation::kNone);
    run.attention({batch, heads_, head_dim_, x.rows / batch, keys.rows / batch}, queries, keys, values, attended);
    out_.add(run, attended, x);
  }

 private:
  std::size_t heads_;
  std::size_t head_dim_;
  LayerNorm<B> norm_;
  Linear<B> query_;
  Linear<B> out_;
};

}  // namespace rvm
