#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/layers/cross_transformer.hpp>
#include <rvm/layers/layer_norm.hpp>
#include <rvm/layers/linear.hpp>
#include <rvm/layers/position_encoding.hpp>
#include <rvm/model/layout.hpp>
#include <rvm/model/model.hpp>

namespace rvm {

/// What decoding one frame needs besides the blocks' workspace.
template <Backend B>
struct DecoderWorkspace {
  using Floats = typename B::template Buffer<float>;

  /// For a grid of `places_` patches and tokens of `width`.
  DecoderWorkspace(const typename B::Device& device, std::size_t places_, std::size_t width)
      : places(places_),
        positions(sinusoid_table(places, width)),
        unseen({1 + places, width}),
        tokens(device, (1 + places) * width),
        seen(device, (1 + places) * width),
        patches(device, places * kPatchValues) {}

  std::size_t places;
  Tensor<float> positions;  // [h * w, width]
  Tensor<float> unseen;     // [1 + h * w, width] the tokens before anything is seen
  Floats tokens;            // [1 + h * w, width]
  Floats seen;              // [1 + visible, width]
  Floats patches;           // [h * w, 768]
};

/// The decoder, which fills in masked frames (spec, section 4, steps 3 to 6), together with the model that it belongs
/// to. Immutable: one decoder serves any number of reconstructions on any number of threads. A cheap handle, as a model
/// is. How to use it: Reconstruction, or reconstruct(), in reconstruction.hpp.
template <Backend B>
class Decoder {
 public:
  using Element = typename B::Element;
  using Executor = typename B::Executor;

  /// Reads, checks and packs the decoder's arrays, on the model's device; `weights` is not needed afterwards. Throws
  /// WeightsError if there is no decoder in them, if it is not whole, or if they are not what the model was made from;
  /// or std::bad_alloc.
  Decoder(Model<B> model, const Weights& weights) : model_(std::move(model)) {
    const detail::FloatEnvironment environment;
    check(weights);
    WeightReader reader(weights);
    parts_ = std::make_shared<const Parts>(model_.device(), reader, model_.config().width, read_decoder_config(reader));
  }

  const Model<B>& model() const noexcept { return model_; }
  /// The sizes read from the weights.
  const DecoderConfig& config() const noexcept { return parts_->config; }
  /// Columns of the source's keys and values.
  std::size_t keys_values_width() const noexcept { return parts_->transformer.keys_values_width(); }

  /// What the decoder reads of the source: features [tokens, D] of all its frames -> keys_values [tokens,
  /// keys_values_width()]. embedded: room for [tokens, config().width].
  void project(Executor& run, MatrixView<const Element> features, MatrixView<Element> embedded,
               MatrixView<Element> keys_values) const {
    parts_->embedder(run, features, embedded, Activation::kNone);
    parts_->transformer.project(run, embedded, keys_values);
  }

  /// One target frame: encoded [1 + visible, D], its class token and what is seen of it -> its patches [h * w, 768], in
  /// own's memory. visible: the places of the patches; offset: below kOffsets; keys_values: of the source.
  MatrixView<const float> operator()(Executor& run, Workspace<B>& workspace, DecoderWorkspace<B>& own,
                                     MatrixView<const Element> encoded, std::span<const std::size_t> visible,
                                     std::size_t offset, MatrixView<const Element> keys_values) const {
    const detail::FloatEnvironment environment;
    const std::size_t width = config().width;
    const MatrixView<float> x(own.tokens.data(), 1 + own.places, width);
    const MatrixView<float> seen(own.seen.data(), encoded.rows, width);
    const MatrixView<float> patches(own.patches.data(), own.places, kPatchValues);

    // All that the frame's pixels do not decide comes from the host; embedding adds to it where something is seen.
    place_unseen(own, visible, offset);
    run.write(own.unseen.span(), x.data);
    const auto row = [&](std::size_t i) { return x.row(i == 0 ? 0 : 1 + visible[i - 1]); };
    for (std::size_t i = 0; i < seen.rows; ++i) run.copy(row(i), seen.row(i), width);
    parts_->embedder.add(run, encoded, seen);
    for (std::size_t i = 0; i < seen.rows; ++i) run.copy(seen.row(i), row(i), width);

    parts_->transformer(run, workspace, x, keys_values, 1);
    const MatrixView<Element> normed = workspace.normed(x.rows, width);
    parts_->output_norm(run, x, normed);
    parts_->detokenizer(run, normed.row_block(1, own.places), patches);
    return patches;
  }

 private:
  struct Parts {
    Parts(const typename B::Device& device, WeightReader& reader, std::size_t model_width, const DecoderConfig& config_)
        : config(config_),
          mask_token(reader.read("mask_token", {1, config.width})),
          offsets(read_offsets(reader, config.width)),
          embedder(device, reader, {dense_part("decoder_embedder", model_width, config.width)}, true),
          transformer(device, reader, "decoder", config.width, config.transformer),
          output_norm(device, read_norm(reader, "decoder/output_norm", config.width)),
          detokenizer(device, reader, {dense_part("detokenizer/Dense_0", config.width, kPatchValues)}, true) {}

    DecoderConfig config;
    Tensor<float> mask_token;  // [1, width]
    Tensor<float> offsets;     // [kOffsets, width]
    Linear<B> embedder;        // sensitive: all blocks add to what it gives
    CrossTransformer<B> transformer;
    LayerNorm<B> output_norm;
    Linear<B> detokenizer;  // sensitive: its errors are the picture's
  };

  // A dense layer over one-hot offsets is a table.
  static Tensor<float> read_offsets(WeightReader& reader, std::size_t width) {
    Tensor<float> table = reader.read("delta_embedder/kernel", {kOffsets, width});
    const Tensor<float> bias = reader.read("delta_embedder/bias", {width});
    for (std::size_t i = 0; i < table.size(); ++i) table.data()[i] += bias(i % width);
    return table;
  }

  void check(const Weights& weights) const {
    const std::vector<std::string> keys = weights.keys();
    const auto of_decoder = [](std::string_view key) { return key.starts_with("decoder/"); };
    if (std::none_of(keys.begin(), keys.end(), of_decoder)) {
      throw WeightsError(weights.source(), "decoder/xa_blocks_0", "the arrays of a decoder, to reconstruct frames",
                         "none: this file holds encoder and core alone");
    }
    WeightReader reader(weights);
    for (const ArrayDescription& array : checkpoint_layout(read_config(reader))) reader.read(array.key, array.shape);
    if (reader.fingerprint() != model_.fingerprint()) {
      throw WeightsError(weights.source(), "", "the weights that the model was made from, for a decoder that fits it",
                         "others");
    }
  }

  // Class token: nothing. Masked places: mask token, position and offset. Visible places: position and offset.
  void place_unseen(DecoderWorkspace<B>& own, std::span<const std::size_t> visible, std::size_t offset) const {
    const TensorView<const float> time = std::as_const(parts_->offsets)[offset];
    const std::size_t width = config().width;
    for (std::size_t p = 0; p < own.places; ++p) {
      for (std::size_t d = 0; d < width; ++d) {
        own.unseen(1 + p, d) = parts_->mask_token(0, d) + (own.positions(p, d) + time(d));
      }
    }
    for (const std::size_t p : visible) {
      for (std::size_t d = 0; d < width; ++d) own.unseen(1 + p, d) = own.positions(p, d) + time(d);
    }
  }

  Model<B> model_;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace rvm
