#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/image/resize.hpp>

namespace rvm {

/// A mask at the resolution of tokens: values [h, w, C] in [0, 1], and the label that each channel stands for,
/// ascending.
struct MaskHeatmap {
  Tensor<float> values;
  std::vector<std::uint8_t> labels;
};

/// A label image [H, W] of any size -> a heat map of h x w tokens with a channel for every label that occurs: resized
/// to the processing size height x width (nearest), and each label's 0 and 1 from there to the tokens (bilinear).
/// Throws ArgumentError if the mask is not [H, W] or something has no pixels. (Spec, section 6: masks.)
inline MaskHeatmap mask_to_heatmap(TensorView<const std::uint8_t> mask, std::size_t h, std::size_t w,
                                   std::size_t height, std::size_t width) {
  if (mask.shape().rank() != 2 || mask.empty()) {
    throw ArgumentError("a mask is a label image [H, W], found shape " + to_string(mask.shape()));
  }
  std::array<bool, 256> occurs{};
  for (const std::uint8_t label : mask) occurs[label] = true;
  MaskHeatmap out;
  for (std::size_t label = 0; label < occurs.size(); ++label) {
    if (occurs[label]) out.labels.push_back(static_cast<std::uint8_t>(label));
  }
  const LabelImage small = resize_nearest(mask, height, width);
  out.values = Tensor<float>({h, w, out.labels.size()});
  Tensor<float> one({height, width});
  for (std::size_t c = 0; c < out.labels.size(); ++c) {
    std::transform(small.begin(), small.end(), one.begin(),
                   [&](std::uint8_t label) { return label == out.labels[c] ? 1.0F : 0.0F; });
    const Tensor<float> channel = resize_bilinear(one, h, w);
    for (std::size_t i = 0; i < channel.size(); ++i) out.values.data()[i * out.labels.size() + c] = channel.data()[i];
  }
  return out;
}

/// Turns heat maps back into label images of one size. Keeps its scratch memory: no call allocates.
class MaskDecoder {
 public:
  /// For heat maps [h, w, labels.size()] of frames that were height x width when they were processed. Throws
  /// ArgumentError if there are no labels or no pixels.
  MaskDecoder(std::size_t h, std::size_t w, std::span<const std::uint8_t> labels, std::size_t height, std::size_t width)
      : height_(height),
        width_(width),
        labels_(labels.begin(), labels.end()),
        row_({w, labels.size()}),
        strongest_(w),
        shape_{h, w, labels.size()} {
    if (shape_.elements() == 0 || height == 0 || width == 0) throw ArgumentError("a mask needs labels and pixels");
  }

  /// Every pixel's strongest label: the heat map enlarged to the processing size (bilinear), the first of its largest
  /// channels, and from there to the size of `out`, [H, W] (nearest, exact). Throws ArgumentError if the heat map is of
  /// another shape or `out` is not an image.
  void decode(TensorView<const float> heatmap, TensorView<std::uint8_t> out) {
    if (heatmap.shape() != shape_) {
      throw ArgumentError("expected a heat map of shape " + to_string(shape_) + ", found " +
                          to_string(heatmap.shape()));
    }
    if (out.shape().rank() != 2 || out.empty()) {
      throw ArgumentError("a mask is a label image [H, W], found shape " + to_string(out.shape()));
    }
    std::size_t computed = height_;
    for (std::size_t y = 0; y < out.shape()[0]; ++y) {
      const std::size_t source = detail::nearest_exact_source(y, height_, out.shape()[0]);
      if (source == computed) {
        std::copy_n(out[y - 1].begin(), out.shape()[1], out[y].begin());
        continue;
      }
      interpolate_row(heatmap, source);
      decode_row(out[y].span());
      computed = source;
    }
  }

  /// What the channels stand for.
  std::span<const std::uint8_t> labels() const noexcept { return labels_; }

 private:
  // The heat map at one row of the processing size: values and strongest channels at the tokens' columns.
  void interpolate_row(TensorView<const float> heatmap, std::size_t y) noexcept {
    const detail::BilinearTap tap = detail::bilinear_tap(y, shape_[0], height_);
    const float* const lower = heatmap[tap.lower].data();
    const float* const upper = heatmap[tap.upper].data();
    for (std::size_t i = 0; i < row_.size(); ++i) {
      row_.data()[i] =
          static_cast<double>(lower[i]) * (1 - tap.upper_weight) + static_cast<double>(upper[i]) * tap.upper_weight;
    }
    for (std::size_t x = 0; x < strongest_.size(); ++x) strongest_[x] = strongest({x, x, 0.0});
  }

  void decode_row(std::span<std::uint8_t> out) const noexcept {
    for (std::size_t x = 0; x < out.size(); ++x) {
      const std::size_t source = detail::nearest_exact_source(x, width_, out.size());
      const detail::BilinearTap tap = detail::bilinear_tap(source, shape_[1], width_);
      // What is strongest at both ends is strongest between them.
      const bool same = strongest_[tap.lower] == strongest_[tap.upper];
      out[x] = labels_[same ? strongest_[tap.lower] : strongest(tap)];
    }
  }

  std::size_t strongest(const detail::BilinearTap& tap) const noexcept {
    const std::size_t channels = labels_.size();
    const double* const lower = row_.data() + tap.lower * channels;
    const double* const upper = row_.data() + tap.upper * channels;
    std::size_t best = 0;
    double most = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      const double value = lower[c] * (1 - tap.upper_weight) + upper[c] * tap.upper_weight;
      if (c == 0 || value > most) {
        most = value;
        best = c;
      }
    }
    return best;
  }

  std::size_t height_;
  std::size_t width_;
  std::vector<std::uint8_t> labels_;
  Tensor<double> row_;                  // [w, C]
  std::vector<std::size_t> strongest_;  // [w]
  Shape shape_;
};

/// One heat map [h, w, C] of a frame that was height x width when it was processed -> label image [out_height,
/// out_width]. Throws ArgumentError as MaskDecoder does.
inline LabelImage heatmap_to_mask(TensorView<const float> heatmap, std::span<const std::uint8_t> labels,
                                  std::size_t height, std::size_t width, std::size_t out_height,
                                  std::size_t out_width) {
  if (heatmap.shape().rank() != 3) {
    throw ArgumentError("a heat map is [h, w, C], found shape " + to_string(heatmap.shape()));
  }
  LabelImage out({out_height, out_width});
  MaskDecoder(heatmap.shape()[0], heatmap.shape()[1], labels, height, width).decode(heatmap, out);
  return out;
}

}  // namespace rvm
