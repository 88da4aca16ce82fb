#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>

namespace test {

/// Deterministic numbers without structure.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}

  std::uint32_t bits() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
  /// In [-scale, scale).
  float number(float scale = 1.0F) { return scale * (static_cast<float>(bits() >> 8) * 0x1p-23F - 1.0F); }
  /// In [low, high].
  std::size_t between(std::size_t low, std::size_t high) { return low + bits() % (high - low + 1); }

  rvm::Tensor<float> numbers(const rvm::Shape& shape, float scale = 1.0F) {
    rvm::Tensor<float> out(shape);
    for (float& v : out) v = number(scale);
    return out;
  }
  rvm::Tensor<std::uint8_t> bytes(const rvm::Shape& shape) {
    rvm::Tensor<std::uint8_t> out(shape);
    for (std::uint8_t& v : out) v = static_cast<std::uint8_t>(bits() >> 24);
    return out;
  }

 private:
  std::uint64_t state_;
};

/// The frames of a video [..., H, W, 3], one after another.
inline std::vector<rvm::FrameView> frames_of(const rvm::Tensor<std::uint8_t>& video) {
  const rvm::Shape& shape = video.shape();
  const std::size_t height = shape[shape.rank() - 3];
  const std::size_t width = shape[shape.rank() - 2];
  std::vector<rvm::FrameView> frames;
  for (std::size_t at = 0; at < video.size(); at += height * width * 3)
    frames.emplace_back(video.data() + at, height, width);
  return frames;
}

/// A frame's pixels in [0, 1].
inline std::vector<double> pixels_of(const rvm::FrameView& frame) {
  std::vector<double> out;
  out.reserve(frame.height() * frame.width() * 3);
  for (std::size_t y = 0; y < frame.height(); ++y) {
    for (std::size_t i = 0; i < frame.width() * 3; ++i) out.push_back(frame.row(y)[i] / 255.0);
  }
  return out;
}

}  // namespace test
