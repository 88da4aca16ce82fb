#pragma once

#include <cstddef>
#include <string>

#include <rvm/backend/concept.hpp>
#include <rvm/weights/reader.hpp>

namespace rvm {

/// Epsilon of every layer norm but the state's (spec, section 2).
inline constexpr float kNormEpsilon = 1e-6F;
/// Epsilon of the recurrent core's state norm.
inline constexpr float kStateNormEpsilon = 1e-4F;

/// Reads key/scale and key/bias. Throws WeightsError.
inline NormWeights read_norm(WeightReader& reader, const std::string& key, std::size_t width) {
  return {reader.read(key + "/scale", {width}), reader.read(key + "/bias", {width}), kNormEpsilon};
}
/// Reads the state norm: key/scale alone, without a bias. Throws WeightsError.
inline NormWeights read_state_norm(WeightReader& reader, const std::string& key, std::size_t width) {
  return {reader.read(key + "/scale", {width}), {}, kStateNormEpsilon};
}

/// (x - mean) / sqrt(variance + epsilon) * scale + bias over each row; the variance is the biased one.
template <Backend B>
class LayerNorm {
 public:
  LayerNorm(const typename B::Device& device, NormWeights weights) : norm_(device.pack(std::move(weights))) {}

  /// y may be x itself, or of another element type.
  template <class T>
  void operator()(typename B::Executor& run, MatrixView<const float> x, MatrixView<T> y) const {
    run.layer_norm(x, norm_, y);
  }
  /// For the operations that have a norm inside: the gates.
  const typename B::Norm& parameters() const noexcept { return norm_; }

 private:
  typename B::Norm norm_;
};

}  // namespace rvm
