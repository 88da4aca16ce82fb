#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <rvm/core/detail/partition.hpp>
#include <rvm/core/detail/rounded.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/core/thread_team.hpp>
#include <rvm/tracking/detail/affinity_kernels.hpp>
#include <rvm/tracking/detail/tile_search.hpp>
#include <rvm/tracking/detail/token_features.hpp>
#include <rvm/tracking/detail/token_tiles.hpp>
#include <rvm/tracking/detail/top_tokens.hpp>

namespace rvm {

/// How labels are carried on; the defaults are the published protocol's (spec, section 6).
struct PropagationOptions {
  std::size_t context = 20;  // frames before the present one that labels are taken from, beside the first
  float temperature = 0.7F;  // what similarities are divided by before the softmax
  std::size_t top_k = 7;     // tokens that a token's label is the mean of
  float radius = 20.0F;      // tokens; in all frames but the first, only tokens nearer than this count
  std::size_t threads = 0;   // 0: as many as this process may use
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
/// They are the same for any number of threads. (Spec, section 6: dense tracking protocol.)
///
/// One thread at a time. A call that throws leaves it as it was.
class LabelPropagation {
 public:
  /// The first frame: features [h, w, D], of any length, and labels [h, w, C]. labels() are then what the protocol says
  /// of the first frame itself. Throws ArgumentError if the shapes do not fit, something is empty, a feature is not
  /// finite, or an option is out of its range.
  LabelPropagation(TensorView<const float> features, TensorView<const float> labels,
                   const PropagationOptions& options = {})
      : options_(checked(options, features.shape())),
        features_shape_(checked(features.shape(), labels.shape())),
        labels_shape_(labels.shape()),
        tiles_(std::make_unique<const detail::TokenTiles>(features_shape_[0], features_shape_[1])),
        team_(std::make_unique<ThreadTeam>(options.threads)),
        blocks_(tiles_->count(), std::clamp<std::size_t>(tiles_->count() / (4 * team_->size()), 1, kBlockTiles), 1),
        features_(options.context + 2, detail::TokenFeatures(*tiles_, tokens(), features_shape_[2])),
        labels_(options.context + 2, Tensor<float>(labels_shape_)),
        searches_(team_->size() * blocks_.size,
                  detail::TileSearch(*tiles_, tokens(), features_shape_[2],
                                     std::min(options.top_k, (1 + options.context) * tokens()),
                                     static_cast<double>(options.radius), detail::affinity_kernels())),
        axes_({team_->size(), features_shape_[2]}) {
    std::copy(labels.begin(), labels.end(), labels_[0].begin());
    step(features);
  }

  /// The labels of the frame before: [h, w, C]. Valid until the next step.
  TensorView<const float> labels() const noexcept { return labels_of(frames_ - 1); }

  /// Takes the next frame's features [h, w, D] and returns labels(). A feature of length zero is like nothing. Throws
  /// ArgumentError if they are of another shape or one is not finite.
  TensorView<const float> step(TensorView<const float> features) {
    if (features.shape() != features_shape_) {
      throw ArgumentError("expected features of shape " + to_string(features_shape_) +
                          " as in the first frame, found " + to_string(features.shape()));
    }
    load(features);
    team_->run(blocks_.count(), [&](std::size_t block, std::size_t thread) noexcept {
      propagate(blocks_.first(block), blocks_.length(block), thread);
    });
    ++frames_;
    return labels();
  }

  const PropagationOptions& options() const noexcept { return options_; }
  /// [h, w, D].
  const Shape& features_shape() const noexcept { return features_shape_; }
  /// [h, w, C].
  const Shape& labels_shape() const noexcept { return labels_shape_; }
  /// Frames taken, the first included.
  std::size_t frames() const noexcept { return frames_; }

 private:
  static constexpr std::size_t kBlockTiles = 16;  // tiles of queries that go through the context together

  static const PropagationOptions& checked(const PropagationOptions& options, const Shape& features) {
    if (options.context == 0) throw ArgumentError("labels are taken from at least 1 frame before (context)");
    if (options.top_k == 0) throw ArgumentError("a label is the mean of at least 1 token's (top_k)");
    if (!(options.temperature >= std::numeric_limits<float>::min()) || !std::isfinite(options.temperature)) {
      throw ArgumentError("the temperature must be a number above 0, and not denormal");
    }
    if (!(options.radius >= 0)) throw ArgumentError("the radius must be a number of at least 0");
    detail::check_features(features);
    constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
    if (options.context >= kMost || features[0] * features[1] > kMost / (options.context + 1)) {
      throw ArgumentError("a context of " + std::to_string(options.context) + " frames of " + to_string(features) +
                          " is too large");
    }
    return options;
  }

  static const Shape& checked(const Shape& features, const Shape& labels) {
    if (labels.rank() != 3 || labels[0] != features[0] || labels[1] != features[1] || labels[2] == 0) {
      throw ArgumentError("labels of features of shape " + to_string(features) + " are [" +
                          std::to_string(features[0]) + ", " + std::to_string(features[1]) + ", C], found shape " +
                          to_string(labels));
    }
    return features;
  }

  std::size_t tokens() const noexcept { return features_shape_[0] * features_shape_[1]; }

  // The first frame is kept for ever, the others and all predicted labels take turns.
  std::size_t turn(std::size_t frame) const noexcept { return 1 + frame % (options_.context + 1); }
  const detail::TokenFeatures& features_of(std::size_t frame) const noexcept {
    return features_[frame == 0 ? 0 : turn(frame)];
  }
  const Tensor<float>& labels_of(std::size_t frame) const noexcept { return labels_[turn(frame)]; }
  const Tensor<float>& labels_at(std::size_t position) const noexcept {
    const std::size_t before = options_.context + 1 - position;  // the present frame
    return position == 0 || before > frames_ ? labels_[0] : labels_of(frames_ - before);
  }

  // The context's frames that differ, the latest first and the first frame last.
  std::size_t context_frames() const noexcept {
    return 1 + std::min(options_.context, std::max<std::size_t>(frames_, 1) - 1);
  }
  detail::ContextFrame context_frame(std::size_t i) const noexcept {
    const std::size_t n = options_.context;
    if (i + 1 < context_frames()) return {&features_of(frames_ - 1 - i), n - i, 1};
    return {features_.data(), 0, frames_ > n ? 1 : 1 + std::min(n, n + 1 - frames_)};
  }

  void load(TensorView<const float> features) {
    detail::TokenFeatures& to = features_[frames_ == 0 ? 0 : turn(frames_)];
    std::atomic<bool> finite = true;
    team_->run(tiles_->count(), [&](std::size_t tile, std::size_t thread) noexcept {
      const std::span axis(axes_.data() + thread * features_shape_[2], features_shape_[2]);
      if (!to.set_tile(*tiles_, tile, features.data(), axis)) finite = false;
    });
    for (std::size_t i = 0; i < features.size() && !finite; ++i) {
      if (std::isfinite(features.data()[i])) continue;
      const std::size_t token = i / features_shape_[2];
      throw ArgumentError("the features of token (" + std::to_string(token / features_shape_[1]) + ", " +
                          std::to_string(token % features_shape_[1]) + ") are not finite numbers");
    }
  }

  // Labels of the tokens in some tiles of the present frame.
  void propagate(std::size_t first_tile, std::size_t tile_count, std::size_t thread) noexcept {
    const std::span searches = std::span(searches_).subspan(thread * blocks_.size, tile_count);
    for (detail::TileSearch& search : searches) {
      search.begin(features_of(frames_), first_tile++);
      for (std::size_t i = 0; i < context_frames(); ++i) search.look_here(context_frame(i));
    }
    for (std::size_t i = 0; i < context_frames(); ++i) {
      for (detail::TileSearch& search : searches) search.look_elsewhere(context_frame(i));
    }
    for (const detail::TileSearch& search : searches) {
      for (std::size_t place = 0; place < detail::kTileTokens; ++place) {
        if (!tiles_->holds_token(search.tile(), place)) continue;
        write_labels(search.top(place), tiles_->token(search.tile(), place));
      }
    }
  }

  // The mean of the labels of the tokens that are most alike, weighted by the softmax of their similarities.
  void write_labels(const detail::TopTokens& top, std::size_t token) noexcept {
    const std::size_t channels = labels_shape_[2];
    float* const out = labels_[turn(frames_)].data() + token * channels;
    const auto weight = [&](std::size_t i) { return std::exp((top[i].score - top[0].score) / options_.temperature); };
    float total = 0;
    for (std::size_t i = 0; i < top.size(); ++i) total += weight(i);
    std::fill_n(out, channels, 0.0F);
    for (std::size_t i = 0; i < top.size(); ++i) {
      const float share = weight(i) / total;
      const float* const label = labels_at(top[i].id / tokens()).data() + top[i].id % tokens() * channels;
      for (std::size_t c = 0; c < channels; ++c) out[c] += detail::rounded(share * label[c]);
    }
  }

  PropagationOptions options_;
  Shape features_shape_;
  Shape labels_shape_;
  std::unique_ptr<const detail::TokenTiles> tiles_;
  std::unique_ptr<ThreadTeam> team_;
  detail::Partition blocks_;                     // of tiles
  std::vector<detail::TokenFeatures> features_;  // the first frame's, and the latest context + 1
  std::vector<Tensor<float>> labels_;            // the first frame's as given, and the latest context + 1 predicted
  std::vector<detail::TileSearch> searches_;     // [threads, tiles of a block]
  Tensor<float> axes_;                           // [threads, D]: scratch
  std::size_t frames_ = 0;
};

}  // namespace rvm
