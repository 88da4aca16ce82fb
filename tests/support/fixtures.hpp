#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rvm/image/frame.hpp>
#include <rvm/weights/npz.hpp>

#include "support/random.hpp"

namespace test {

/// A file of tests/data.
inline std::string data(const std::string& name) {
  return std::string(RVM_TEST_DATA) + "/" + name;
}

/// The small model that the authors' answers belong to.
inline rvm::Weights small_weights() {
  return rvm::load_npz(data("weights.npz"));
}

/// A video and what the authors' model says of it.
struct Clip {
  explicit Clip(const std::string& name) : Clip(rvm::load_npz(data(name))) {}
  explicit Clip(const rvm::Weights& file)
      : video(file.at("video").as<std::uint8_t>()),
        features(file.at("features").as<float>()),
        frames(frames_of(video)) {}

  std::size_t height() const { return frames.front().height(); }
  std::size_t width() const { return frames.front().width(); }

  rvm::Tensor<std::uint8_t> video;     // [..., T, H, W, 3]
  rvm::Tensor<float> features;         // [..., T, N, D]
  std::vector<rvm::FrameView> frames;  // in the video's order
};

}  // namespace test
