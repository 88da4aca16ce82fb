#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {

/// How labels are carried on; the defaults are the published protocol's (spec, section 6).
struct PropagationOptions {
  std::size_t context = 20;  // frames before the present one that labels are taken from, beside the first
  float temperature = 0.7F;  // what similarities are divided by before the softmax
  std::size_t top_k = 7;     // tokens that a token's label is the mean of
  float radius = 20.0F;      // tokens; in all frames but the first, only tokens nearer than this count
  std::size_t threads = 0;   // 0: one per processor
};

namespace detail {

/// Throws ArgumentError if features are not [h, w, D] or empty.
inline void check_features(const Shape& features) {
  if (features.rank() != 3 || features.elements() == 0) {
    throw ArgumentError("features to propagate labels along are [h, w, D], found shape " + to_string(features));
  }
}

}  // namespace detail

/// Carries the labels of a video's first frame on to the frames that follow, without training: a token's label is the
/// mean of the labels of the tokens most like it, in the first frame and the last few. Like a Stream it is stepped
/// frame by frame, every step costs the same, and none allocates. Labels are any numbers: shares of objects, heat maps.
/// (Spec, section 6: dense tracking protocol.)
///
/// One thread at a time. A call that throws leaves it as it was.
class LabelPropagation {
 public:
  /// The first frame: features [h, w, D], of any length, and labels [h, w, C]. labels() are then what the protocol says
  /// of the first frame itself. Throws ArgumentError if the shapes do not fit, something is empty, a feature is not
  /// finite, or an option is out of its range.
  LabelPropagation(TensorView<const float> features, TensorView<const float> labels,
                   const PropagationOptions& options = {})
      : options_(checked(options)), shape_(checked_shape(features.shape(), labels.shape())) {
    Tensor<float> first = unit(features);
    labels_ = Tensor<float>(labels.shape());
    Tensor<float> first_labels(labels.shape());
    std::copy(labels.begin(), labels.end(), first_labels.begin());
    first_ = {first, first_labels};
    queue_.assign(options_.context, first_);
    propagate(std::move(first));
  }

  /// The labels of the frame before: [h, w, C]. Valid until the next step.
  TensorView<const float> labels() const noexcept { return labels_; }

  /// Takes the next frame's features [h, w, D] and returns labels(). A feature of length zero is like nothing. Throws
  /// ArgumentError if they are of another shape or one is not finite.
  TensorView<const float> step(TensorView<const float> features) {
    if (features.shape() != shape_) {
      throw ArgumentError("expected features of shape " + to_string(shape_) + " as in the first frame, found " +
                          to_string(features.shape()));
    }
    propagate(unit(features));
    return labels();
  }

  const PropagationOptions& options() const noexcept { return options_; }
  /// [h, w, D].
  const Shape& features_shape() const noexcept { return shape_; }

 private:
  struct Frame {
    Tensor<float> features;
    Tensor<float> labels;
  };
  struct Candidate {
    float score;
    const float* labels;
  };

  static const PropagationOptions& checked(const PropagationOptions& options) {
    if (options.context == 0) throw ArgumentError("labels are taken from at least 1 frame of context");
    if (options.top_k == 0) throw ArgumentError("a label is the mean of at least 1 token's (top_k)");
    if (!(options.temperature > 0) || !std::isfinite(options.temperature)) {
      throw ArgumentError("the temperature must be above 0");
    }
    if (!(options.radius >= 0)) throw ArgumentError("the radius must be 0 or more");
    return options;
  }

  static const Shape& checked_shape(const Shape& features, const Shape& labels) {
    detail::check_features(features);
    if (labels.rank() != 3 || labels[0] != features[0] || labels[1] != features[1] || labels[2] == 0) {
      throw ArgumentError("labels of features of shape " + to_string(features) + " are [" +
                          std::to_string(features[0]) + ", " + std::to_string(features[1]) + ", C], found shape " +
                          to_string(labels));
    }
    return features;
  }

  Tensor<float> unit(TensorView<const float> features) const {
    const std::size_t width = shape_[2];
    Tensor<float> out(shape_);
    for (std::size_t i = 0; i < features.size(); i += width) {
      double squares = 0;
      for (std::size_t d = 0; d < width; ++d) {
        squares += static_cast<double>(features.data()[i + d]) * static_cast<double>(features.data()[i + d]);
      }
      if (!std::isfinite(squares)) {
        throw ArgumentError("the features of token (" + std::to_string(i / width / shape_[1]) + ", " +
                            std::to_string(i / width % shape_[1]) + ") are not finite numbers");
      }
      const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0.0;
      for (std::size_t d = 0; d < width; ++d) {
        out.data()[i + d] = static_cast<float>(static_cast<double>(features.data()[i + d]) * inverse);
      }
    }
    return out;
  }

  void propagate(Tensor<float> features) {
    const std::size_t channels = labels_.shape()[2];
    std::vector<Candidate> candidates;
    for (std::size_t q = 0; q < shape_[0] * shape_[1]; ++q) {
      candidates.clear();
      const auto compare_with = [&](const Frame& frame, bool restricted) {
        for (std::size_t k = 0; k < shape_[0] * shape_[1]; ++k) {
          const double dy = static_cast<double>(k / shape_[1]) - static_cast<double>(q / shape_[1]);
          const double dx = static_cast<double>(k % shape_[1]) - static_cast<double>(q % shape_[1]);
          const auto radius = static_cast<double>(options_.radius);
          if (restricted && !(dy * dy + dx * dx < radius * radius)) continue;
          float dot = 0;
          for (std::size_t d = 0; d < shape_[2]; ++d) {
            dot += features.data()[q * shape_[2] + d] * frame.features.data()[k * shape_[2] + d];
          }
          candidates.push_back({dot / options_.temperature, frame.labels.data() + k * channels});
        }
      };
      compare_with(first_, false);
      for (const Frame& frame : queue_) compare_with(frame, true);
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
      candidates.resize(std::min(candidates.size(), options_.top_k));
      float total = 0;
      for (const Candidate& c : candidates) total += std::exp(c.score - candidates[0].score);
      float* const out = labels_.data() + q * channels;
      std::fill_n(out, channels, 0.0F);
      for (const Candidate& c : candidates) {
        for (std::size_t i = 0; i < channels; ++i) {
          out[i] += std::exp(c.score - candidates[0].score) / total * c.labels[i];
        }
      }
    }
    queue_.erase(queue_.begin());
    queue_.push_back({std::move(features), labels_});
  }

  PropagationOptions options_;
  Shape shape_;
  Frame first_;
  std::vector<Frame> queue_;
  Tensor<float> labels_;
};

}  // namespace rvm
