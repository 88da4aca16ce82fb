#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/layers/operand.hpp>
#include <rvm/model/decoder.hpp>
#include <rvm/model/masking.hpp>
#include <rvm/stream.hpp>

namespace rvm {

/// A place where masked frames are filled in from what a source video shows (spec, section 4). The source is read once;
/// any number of frames may follow. It keeps Decoder::keys_values_width() numbers for every token of every source
/// frame.
///
/// Used by one thread at a time; different ones of one decoder may run on different threads.
template <Backend B>
class Reconstruction {
 public:
  /// Reads the source, frames of one size in the order of time, from the zero state on. Throws ArgumentError if there
  /// are none, FrameError if their sides are not multiples of 16 or not the same, NonFiniteError if one leaves a NaN
  /// or an infinity in the state, or std::bad_alloc.
  Reconstruction(Decoder<B> decoder, std::span<const FrameView> source)
      : Reconstruction(decoder, features_of(decoder.model(), source), first(source).height() / kPatchSize,
                       first(source).width() / kPatchSize) {}

  /// The same from features [T, 1 + h * w, D], T at least 1, as a stream gives them for frames of h x w patches: one
  /// step's values() will do. Throws ArgumentError if they have another shape, or std::bad_alloc.
  Reconstruction(Decoder<B> decoder, TensorView<const float> features, std::size_t h, std::size_t w)
      : decoder_(std::move(decoder)),
        h_(h),
        w_(w),
        rows_(source_rows(features)),
        executor_(device()),
        table_(model().patch_embedding().table(device(), h, w)),
        keys_values_(device(), rows_ * decoder_.keys_values_width()),
        workspace_(device(), 1 + places(), workspace_widths(decoder_.config().width, decoder_.config().transformer)),
        own_(device(), places(), decoder_.config().width),
        patches_({places(), kPatchValues}) {
    const std::size_t width = decoder_.config().width;
    const Floats source = device().upload(features.span());
    Elements operand(device(), operand_size<B>(features.size()));
    Elements embedded(device(), rows_ * width);
    decoder_.project(executor_, as_operand<B>(executor_, {source.data(), rows_, model().config().width}, operand),
                     {embedded.data(), rows_, width}, keys_values());
  }

  /// Fills in every target: pixels [targets, H, W, 3], in the [0, 1] space but not clipped to it, the visible patches
  /// too. Each target is filled in on its own; several in one call share the encoder's pass over the weights. Throws
  /// FrameError if a frame is not of the source's size, or ArgumentError if an offset is above 63, a visible patch is
  /// not on the grid or named twice, or the targets differ in how many are visible.
  Tensor<float> operator()(std::span<const MaskedFrame> targets) {
    const detail::FloatEnvironment environment;
    check(targets);
    Tensor<float> pixels({targets.size(), h_ * kPatchSize, w_ * kPatchSize, 3});
    if (targets.empty()) return pixels;

    const Encoding encoding = encode(targets);
    const std::size_t tokens = 1 + targets[0].visible.size();
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const MaskedFrame& target = targets[i];
      const MatrixView<const float> filled =
          decoder_(executor_, workspace_, own_, encoding.encoded.row_block(i * tokens, tokens), target.visible,
                   target.offset, keys_values());
      executor_.read(filled.data, patches_.span());
      for (std::size_t p = 0; p < places(); ++p) insert_patch(patches_[p].data(), p / w_, p % w_, pixels[i]);
    }
    return pixels;
  }

  const Decoder<B>& decoder() const noexcept { return decoder_; }
  /// Patches along each side of a frame.
  std::size_t grid_height() const noexcept { return h_; }
  std::size_t grid_width() const noexcept { return w_; }

 private:
  using Element = typename B::Element;
  using Elements = typename B::template Buffer<Element>;
  using Floats = typename B::template Buffer<float>;

  // The encoder over what is visible of a number of frames, and its memory.
  struct Encoding {
    Encoding(const Model<B>& model, std::size_t rows)
        : patches(model.device(), rows * kPatchValues),
          tokens(model.device(), rows * model.config().width),
          operand(model.device(), operand_size<B>(tokens.size())),
          workspace(model.device(), rows, workspace_widths(model.config().width, model.config().encoder)) {}

    Elements patches;  // [rows, 768]
    Floats tokens;     // [rows, D]
    Elements operand;  // [rows, D]
    Workspace<B> workspace;
    MatrixView<const Element> encoded;  // [rows, D]
  };

  static const FrameView& first(std::span<const FrameView> source) {
    if (source.empty()) throw ArgumentError("a reconstruction needs at least one source frame");
    if (source[0].empty()) throw FrameError("a frame is empty");
    return source[0];
  }

  static Tensor<float> features_of(const Model<B>& model, std::span<const FrameView> source) {
    return Stream<B>(model, {.height = first(source).height(), .width = first(source).width()}).run(source);
  }

  std::size_t source_rows(const TensorView<const float>& features) const {
    const Shape& shape = features.shape();
    const Shape expected{shape[0], 1 + places(), model().config().width};
    if (features.empty() || places() == 0 || shape != expected) {
      throw ArgumentError("the features of a source of " + std::to_string(h_) + "x" + std::to_string(w_) +
                          " patches are [T, " + std::to_string(expected[1]) + ", " + std::to_string(expected[2]) +
                          "], T at least 1; found shape " + to_string(shape));
    }
    return shape[0] * shape[1];
  }

  void check(std::span<const MaskedFrame> targets) const {
    const auto size = [](std::size_t height, std::size_t width) {
      return std::to_string(height) + "x" + std::to_string(width);
    };
    std::vector<bool> seen(places());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const MaskedFrame& target = targets[i];
      const std::string name = "target " + std::to_string(i);
      const FrameView& frame = target.frame;
      if (frame.empty()) throw FrameError(name + ": its frame is empty");
      if (frame.height() != h_ * kPatchSize || frame.width() != w_ * kPatchSize) {
        throw FrameError(name + ": expected a frame of " + size(h_ * kPatchSize, w_ * kPatchSize) +
                         " (height x width), as the source, found " + size(frame.height(), frame.width()) +
                         ": resize it (rvm::resize)");
      }
      if (target.offset >= kOffsets) {
        throw ArgumentError(name + ": expected an offset of 0 to " + std::to_string(kOffsets - 1) + " frames, found " +
                            std::to_string(target.offset));
      }
      if (target.visible.size() != targets[0].visible.size()) {
        throw ArgumentError(name + ": expected as many visible patches as target 0 has, " +
                            std::to_string(targets[0].visible.size()) + ", found " +
                            std::to_string(target.visible.size()));
      }
      std::fill(seen.begin(), seen.end(), false);
      for (const std::size_t place : target.visible) {
        if (place >= places()) {
          throw ArgumentError(name + ": expected visible patches of 0 to " + std::to_string(places() - 1) +
                              " on a grid of " + size(h_, w_) + ", found " + std::to_string(place));
        }
        if (seen[place]) throw ArgumentError(name + ": the visible patch " + std::to_string(place) + " is named twice");
        seen[place] = true;
      }
    }
  }

  // All targets in one go: the few visible tokens of one alone would hardly be worth reading the weights for.
  Encoding encode(std::span<const MaskedFrame> targets) {
    const std::size_t visible = targets[0].visible.size();
    const std::size_t rows = targets.size() * (1 + visible);
    Encoding out(model(), rows);
    const MatrixView<Element> patches(out.patches.data(), rows, kPatchValues);
    const MatrixView<float> tokens(out.tokens.data(), rows, model().config().width);
    std::vector<std::size_t> table_rows;
    for (const MaskedFrame& target : targets) {
      table_rows.push_back(0);
      for (const std::size_t place : target.visible) table_rows.push_back(1 + place);
    }
    if (visible != 0) cut_visible(targets, patches);  // else the patches are the class tokens' rows, zero at birth
    model().patch_embedding()(executor_, patches, table_, table_rows, tokens);
    model().encoder()(executor_, out.workspace, tokens, targets.size());
    out.encoded = as_operand<B>(executor_, tokens, out.operand);
    return out;
  }

  // The backend cuts whole frames into patches; a tower of the visible patches is a frame that has no others.
  void cut_visible(std::span<const MaskedFrame> targets, MatrixView<Element> patches) {
    const std::size_t visible = targets[0].visible.size();
    Tensor<float> towers({targets.size(), visible, kPatchSize, kPatchSize, 3});
    std::vector<FrameView> frames;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      for (std::size_t k = 0; k < visible; ++k) {
        const std::size_t place = targets[i].visible[k];
        extract_patch(targets[i].frame, place / w_, place % w_, &towers(i, k, 0, 0, 0));
      }
      frames.emplace_back(towers[i].data(), visible * kPatchSize, kPatchSize);
    }
    executor_.patches(frames, patches);
  }

  const Model<B>& model() const noexcept { return decoder_.model(); }
  const typename B::Device& device() const noexcept { return model().device(); }
  std::size_t places() const noexcept { return h_ * w_; }
  MatrixView<Element> keys_values() { return {keys_values_.data(), rows_, decoder_.keys_values_width()}; }

  Decoder<B> decoder_;
  std::size_t h_;
  std::size_t w_;
  std::size_t rows_;  // tokens of the source
  typename B::Executor executor_;
  Floats table_;  // of the patch embedding
  Elements keys_values_;
  Workspace<B> workspace_;
  DecoderWorkspace<B> own_;
  Tensor<float> patches_;  // [h * w, 768] on the host
};

/// Fills in the targets from what the source shows: Reconstruction, for one use. Pixels [targets, H, W, 3], not clipped
/// to [0, 1].
template <Backend B>
Tensor<float> reconstruct(const Decoder<B>& decoder, std::span<const FrameView> source,
                          std::span<const MaskedFrame> targets) {
  return Reconstruction<B>(decoder, source)(targets);
}

}  // namespace rvm
