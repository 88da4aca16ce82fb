#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <rvm/core/tensor.hpp>
#include <rvm/image/label_image.hpp>

#include "support/random.hpp"

namespace test {

/// A video of whose tokens the answer is known: a textured square moves by whole patches over a textured background
/// that repeats itself, so that what the square uncovers looks like something seen before. Features are the patches'
/// own pixels.
class MovingSquare {
 public:
  static constexpr std::size_t kPatch = 16;  // pixels
  static constexpr std::size_t kSquare = 6;  // patches
  static constexpr std::size_t kPeriod = 3;  // patches until the background repeats
  static constexpr std::size_t kNumbers = kPatch * kPatch * 3;

  MovingSquare(std::size_t h, std::size_t w)
      : h_(h),
        w_(w),
        square_(Random(1).bytes({kSquare, kSquare, kNumbers})),
        background_(Random(2).bytes({kPeriod, kPeriod, kNumbers})) {}

  std::size_t height() const { return h_ * kPatch; }
  std::size_t width() const { return w_ * kPatch; }

  /// [h, w, 768] when the square's upper left patch is at (top, left), wholly or in part inside the frame.
  rvm::Tensor<float> features(long top, long left) const {
    rvm::Tensor<float> out({h_, w_, kNumbers});
    for (std::size_t y = 0; y < h_; ++y) {
      for (std::size_t x = 0; x < w_; ++x) {
        const bool inside = covers(y, x, top, left);
        const std::uint8_t* const pixels = inside ? &square_(static_cast<long>(y) - top, static_cast<long>(x) - left, 0)
                                                  : &background_(y % kPeriod, x % kPeriod, 0);
        for (std::size_t i = 0; i < kNumbers; ++i) out(y, x, i) = static_cast<float>(pixels[i]) / 255.0F;
      }
    }
    return out;
  }

  /// [height, width]: 5 where the square is.
  rvm::LabelImage mask(long top, long left) const {
    rvm::LabelImage out({height(), width()});
    for (std::size_t y = 0; y < height(); ++y) {
      for (std::size_t x = 0; x < width(); ++x) {
        out(y, x) = covers(y / kPatch, x / kPatch, top, left) ? std::uint8_t{5} : std::uint8_t{0};
      }
    }
    return out;
  }

  /// Places (top, left) that wander through the frame.
  std::vector<std::array<long, 2>> path(std::size_t frames) const {
    std::vector<std::array<long, 2>> out;
    const auto bounce = [](std::size_t t, std::size_t room) {
      const std::size_t at = t % (2 * room);
      return static_cast<long>(at < room ? at : 2 * room - at);
    };
    for (std::size_t t = 0; t < frames; ++t) {
      out.push_back({bounce(t + 2, h_ - kSquare), bounce(2 * t + 3, w_ - kSquare)});
    }
    return out;
  }

 private:
  static bool covers(std::size_t y, std::size_t x, long top, long left) {
    const auto in = [](std::size_t i, long first) {
      return static_cast<long>(i) >= first && static_cast<long>(i) < first + static_cast<long>(kSquare);
    };
    return in(y, top) && in(x, left);
  }

  std::size_t h_;
  std::size_t w_;
  rvm::Tensor<std::uint8_t> square_;
  rvm::Tensor<std::uint8_t> background_;
};

}  // namespace test
