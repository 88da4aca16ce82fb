#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <rvm/core/tensor.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/tracking/label_propagation.hpp>
#include <rvm/tracking/masks.hpp>

namespace rvm {

/// Follows the objects of a label image through a video, given each frame's features. Any number of labels; the
/// background is one of them. (Spec, section 6: masks.)
///
/// One thread at a time. A call that throws leaves it as it was. A step allocates nothing.
class MaskTracker {
 public:
  /// The first frame's features [h, w, D], one per patch of 16 x 16 pixels, and its mask [H, W], which may be of
  /// another size than the frame was when it was processed. Throws ArgumentError if the mask is not an image, or as
  /// LabelPropagation does.
  MaskTracker(TensorView<const float> features, TensorView<const std::uint8_t> mask,
              const PropagationOptions& options = {})
      : MaskTracker(features, mask, options, heatmap_of(features.shape(), mask)) {}

  /// Takes the next frame's features and returns mask(). Throws ArgumentError as LabelPropagation does.
  const LabelImage& step(TensorView<const float> features) {
    decoder_.decode(propagation_.step(features), mask_);
    return mask_;
  }

  /// The mask of the frame before, of the first mask's size and with its labels; of the first frame what the protocol
  /// makes of it. Changes with the next step.
  const LabelImage& mask() const noexcept { return mask_; }
  /// The labels that occur in the first mask, ascending: what the channels of propagation().labels() stand for.
  std::span<const std::uint8_t> labels() const noexcept { return decoder_.labels(); }
  const LabelPropagation& propagation() const noexcept { return propagation_; }

 private:
  MaskTracker(TensorView<const float> features, TensorView<const std::uint8_t> mask, const PropagationOptions& options,
              const MaskHeatmap& heatmap)
      : propagation_(features, heatmap.values, options),
        decoder_(features.shape()[0], features.shape()[1], heatmap.labels, features.shape()[0] * kPatchSize,
                 features.shape()[1] * kPatchSize),
        mask_(mask.shape()) {
    decoder_.decode(propagation_.labels(), mask_);
  }

  static MaskHeatmap heatmap_of(const Shape& features, TensorView<const std::uint8_t> mask) {
    detail::check_features(features);
    return mask_to_heatmap(mask, features[0], features[1], features[0] * kPatchSize, features[1] * kPatchSize);
  }

  LabelPropagation propagation_;
  MaskDecoder decoder_;
  LabelImage mask_;
};

}  // namespace rvm
