#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/detail/split_mix.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/matrix.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/image.hpp>
#include <rvm/visualize/detail/axes.hpp>

namespace rvm {

/// How StreamingPcaColours follows a video.
struct StreamingPcaOptions {
  /// Frames whose features the colours are first fitted to.
  std::size_t warmup = 16;
  /// How far the colours follow later frames, as a share per frame in [0, 1); 0 holds them.
  float rate = 0.01F;
};

/// Colours for the features of a video, frame by frame, such as PcaColours has for a whole clip: the three strongest
/// principal components as red, green and blue. They do not flicker: the components are fitted to the first frames and
/// then followed slowly, each one on from where it was, so that none flips its sign or changes places with another.
///
/// What is fitted is a sample of about a thousand features, of which later frames replace a share of `rate` each. A
/// frame turns the components by a step of orthogonal iteration, and what is shown moves towards them by `rate`. That
/// costs a few products with three columns; a steady frame allocates nothing. Used by one thread at a time; a copy goes
/// its own way.
class StreamingPcaColours {
 public:
  /// Throws ArgumentError if warmup is not in [1, 1024] or the rate not in [0, 1).
  explicit StreamingPcaColours(const StreamingPcaOptions& options = {}) : options_(options) {
    if (options.warmup == 0 || options.warmup > kSample) {
      throw ArgumentError("colours are fitted to 1 to " + std::to_string(kSample) + " frames at first, found " +
                          std::to_string(options.warmup));
    }
    if (!(options.rate >= 0 && options.rate < 1)) throw ArgumentError("the rate of colours is in [0, 1)");
  }

  /// Observes the features [h, w, D] of the next frame and paints them. Throws ArgumentError as observe().
  const Image& operator()(TensorView<const float> features) {
    observe(features);
    return paint(features);
  }

  /// Takes the features [h, w, D] of the next frame into account. What has been observed before the first call of
  /// paint() is fitted at once, what comes later is followed. Throws ArgumentError if features are missing or not
  /// finite, D is below 3, or another than before.
  void observe(TensorView<const float> features) {
    const MatrixView<const float> x = rows_of(features);
    if (frames_ >= options_.warmup && options_.rate == 0) return;
    require_finite(x);
    if (frames_ == 0) allocate(x);
    take_sample(x);
    ++frames_;
    constexpr int kFirstRounds = 32;
    constexpr int kWarmupRounds = 4;
    const int rounds = frames_ == 1 ? kFirstRounds : frames_ <= options_.warmup ? kWarmupRounds : 1;
    for (int i = 0; i < rounds; ++i) iterate();
    if (painted_) {
      follow(std::max(options_.rate, 1 / static_cast<float>(frames_)));
    } else {
      show();
    }
  }

  /// The colours of features [h, w, D] as they are now: an image of floats [h, w, 3] in [0, 1], valid until the next
  /// call. Throws ArgumentError if nothing has been observed, or the shape is another than that.
  const Image& paint(TensorView<const float> features) {
    const MatrixView<const float> x = rows_of(features);
    if (frames_ == 0) throw ArgumentError("colours need features to be observed first");
    painted_ = true;
    image_.reset(features.shape()[0], features.shape()[1], PixelFormat::kRgbFloat);
    const MatrixView<float> out(image_.floats().data(), x.rows, kChannels);
    detail::project(x, shown_, shown_mean_, out);
    for (std::size_t i = 0; i < out.rows; ++i) {
      for (std::size_t c = 0; c < kChannels; ++c) {
        float& value = out.row(i)[c];
        const float range = high_[c] - low_[c];
        value = range > 0 ? (value - low_[c]) / range : 0.5F;
        value = value > 0 ? std::min(value, 1.0F) : 0.0F;  // 0 too if it is not a number
      }
    }
    return image_;
  }

  /// Frames observed so far; no more than warmup if the colours are held.
  std::size_t frames() const noexcept { return frames_; }
  /// [3, D]: the directions shown as red, green and blue, of unit length and at right angles. Until the first call of
  /// paint() these are the principal components, strongest first, with the signs that Pca gives them.
  TensorView<const float> directions() const noexcept { return shown_; }

 private:
  static constexpr std::size_t kChannels = 3;
  static constexpr std::size_t kSample = 1024;  // features in the sample, about

  MatrixView<const float> rows_of(TensorView<const float> features) const {
    const Shape& shape = features.shape();
    if (shape.rank() != 3 || features.empty() || shape[2] < kChannels) {
      throw ArgumentError("colours need features [h, w, D] with D of at least 3, found " + to_string(shape));
    }
    if (frames_ > 0 && shape[2] != mean_.size()) {
      throw ArgumentError("expected features of " + std::to_string(mean_.size()) + " numbers as before, found " +
                          to_string(shape));
    }
    return {features.data(), shape[0] * shape[1], shape[2]};
  }

  static void require_finite(MatrixView<const float> x) {
    for (std::size_t i = 0; i < x.rows; ++i) {
      if (!detail::eigen_row(x.row(i), x.cols).isFinite().all()) {
        throw ArgumentError("colours need features that are finite numbers");
      }
    }
  }

  void allocate(MatrixView<const float> first) {
    const std::size_t per_frame = std::min((kSample + options_.warmup - 1) / options_.warmup, first.rows);
    sample_ = Tensor<float>({options_.warmup * per_frame, first.cols});
    projected_ = Tensor<float>({sample_.shape()[0], kChannels});
    column_.resize(sample_.shape()[0]);
    mean_ = shown_mean_ = Tensor<float>({1, first.cols});
    axes_ = shown_ = next_ = Tensor<float>({kChannels, first.cols});
    detail::SplitMix64 random(0);
    for (float& v : axes_) v = static_cast<float>(random.next() >> 40) * 0x1p-24F - 0.5F;
    detail::orthonormalize(axes_, shown_);
  }

  // Copies features from all over the frame: in the warmup so many that all its frames have room, later a share of the
  // sample, over the oldest ones.
  void take_sample(MatrixView<const float> x) {
    const std::size_t room = sample_.shape()[0];
    const std::size_t share = frames_ < options_.warmup
                                  ? room / options_.warmup
                                  : static_cast<std::size_t>(options_.rate * static_cast<float>(room) + 0.5F);
    const std::size_t count = std::clamp<std::size_t>(share, 1, x.rows);
    // Evenly, from elsewhere in each frame.
    const double start = std::fmod(static_cast<double>(frames_) * 0.6180339887, 1.0);
    const auto offset = static_cast<std::size_t>(start * static_cast<double>(x.rows));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = (i * x.rows + offset) / count;
      std::copy_n(x.row(row), x.cols, sample_[oldest_].data());
      filled_ = std::max(filled_, oldest_ + 1);
      oldest_ = (oldest_ + 1) % room;
    }
    auto mean = detail::axis(mean_, 0);
    mean.setZero();
    for (std::size_t i = 0; i < filled_; ++i) mean += detail::eigen_row(sample().row(i), x.cols);
    mean /= static_cast<float>(filled_);
  }

  MatrixView<const float> sample() const { return {sample_.data(), filled_, sample_.shape()[1]}; }
  MatrixView<float> projected() { return {projected_.data(), filled_, kChannels}; }

  // The sum over the sample of the products of coordinates, around the sample's mean.
  detail::Matrix3 squares_along(const Tensor<float>& axes) {
    detail::project(sample(), axes, mean_, projected());
    detail::Matrix3 squares = detail::Matrix3::Zero();
    for (std::size_t i = 0; i < filled_; ++i) {
      const Eigen::Vector3d y = Eigen::Map<const Eigen::Vector3f>(projected().row(i)).cast<double>();
      squares += y * y.transpose();
    }
    return squares;
  }

  // Multiplies the axes by the sample's covariance, which stretches them towards the strongest components.
  void iterate() {
    const detail::Matrix3 turn = detail::principal_turn(squares_along(axes_));
    detail::turn(axes_, turn, next_);
    std::swap(axes_, next_);
    Eigen::RowVector3d sum = Eigen::RowVector3d::Zero();
    for (std::size_t i = 0; i < filled_; ++i) {
      Eigen::Map<Eigen::RowVector3f> y(projected().row(i));
      y = (y.cast<double>() * turn).cast<float>().eval();
      sum += y.cast<double>();
    }
    detail::weighted_sums(sample(), projected(), next_);
    for (std::size_t c = 0; c < kChannels; ++c) {
      detail::axis(next_, c) -= static_cast<float>(sum[detail::eigen_index(c)]) * detail::axis(mean_, 0);
    }
    detail::orthonormalize(next_, axes_);
    std::swap(axes_, next_);
  }

  // Shows the principal components themselves.
  void show() {
    detail::turn(axes_, detail::principal_turn(squares_along(axes_)), shown_);
    for (std::size_t c = 0; c < kChannels; ++c) {
      auto axis = detail::axis(shown_, c);
      Eigen::Index largest = 0;
      axis.abs().maxCoeff(&largest);
      if (axis[largest] < 0) axis = -axis;
    }
    shown_mean_ = mean_;
    move_ranges(1);
  }

  // Moves what is shown a step towards the components, turned among each other to where they are nearest to it.
  void follow(float step) {
    detail::turn(axes_, detail::nearest_turn(detail::dots(axes_, shown_)), next_);
    for (std::size_t c = 0; c < kChannels; ++c) {
      detail::axis(next_, c) = detail::axis(shown_, c) + step * (detail::axis(next_, c) - detail::axis(shown_, c));
    }
    detail::turn(next_, detail::straightening(detail::dots(next_, next_)), shown_);
    detail::axis(shown_mean_, 0) += step * (detail::axis(mean_, 0) - detail::axis(shown_mean_, 0));
    move_ranges(step);
  }

  // Moves each range a step to where all but 1 % of the sample at either end are told apart.
  void move_ranges(float step) {
    detail::project(sample(), shown_, shown_mean_, projected());
    const auto tail = static_cast<std::ptrdiff_t>(filled_ / 100);
    for (std::size_t c = 0; c < kChannels; ++c) {
      for (std::size_t i = 0; i < filled_; ++i) column_[i] = projected().row(i)[c];
      const auto begin = column_.begin();
      const auto end = begin + static_cast<std::ptrdiff_t>(filled_);
      std::nth_element(begin, begin + tail, end);
      low_[c] += step * (begin[tail] - low_[c]);
      std::nth_element(begin + tail, end - 1 - tail, end);
      high_[c] += step * (*(end - 1 - tail) - high_[c]);
    }
  }

  StreamingPcaOptions options_;
  std::size_t frames_ = 0;
  bool painted_ = false;
  // What is fitted: [n, D], of which the first filled_ rows count and the next frame replaces those from oldest_ on.
  Tensor<float> sample_;
  std::size_t filled_ = 0;
  std::size_t oldest_ = 0;
  Tensor<float> mean_;  // [1, D]
  Tensor<float> axes_;  // [3, D]
  // What is shown.
  Tensor<float> shown_;
  Tensor<float> shown_mean_;
  std::array<float, kChannels> low_{};
  std::array<float, kChannels> high_{};
  Image image_;
  // Scratch.
  Tensor<float> next_;
  Tensor<float> projected_;
  std::vector<float> column_;
};

}  // namespace rvm
