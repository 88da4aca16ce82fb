#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/core/hash.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/weights.hpp>

namespace rvm {

/// Reads a model's arrays one after another: checks the shape, converts to float, gives the file's pages back, and adds
/// each array to a fingerprint of the model. Used by one thread at a time.
class WeightReader {
 public:
  explicit WeightReader(Weights weights) : weights_(std::move(weights)) {}

  const Weights& weights() const noexcept { return weights_; }

  /// The array's shape. Throws WeightsError if it is missing, unreadable or not of `rank` axes.
  Shape shape(const std::string& key, std::size_t rank) const {
    const Shape found = weights_.at(key).shape();
    if (found.rank() != rank) {
      throw WeightsError(weights_.source(), key, std::to_string(rank) + " axes", "shape " + to_string(found));
    }
    return found;
  }

  /// The array's values in row-major order. Throws WeightsError if it is missing, unreadable, of another shape or not
  /// of a floating-point type.
  Tensor<float> read(const std::string& key, const Shape& expected) {
    const WeightArray array = weights_.at(key);
    if (array.shape() != expected) {
      throw WeightsError(weights_.source(), key, "shape " + to_string(expected) + " to agree with the other arrays",
                         "shape " + to_string(array.shape()));
    }
    Tensor<float> values(expected);
    array.copy_to(values.span());
    weights_.discard(key);
    fingerprint_ += hash_bytes(std::as_bytes(values.span()), hash_bytes(std::as_bytes(std::span(key))));
    return values;
  }

  /// A number that differs, in all likelihood, between models whose arrays read so far differ in key or value, whatever
  /// the file's format and whatever the order of reading.
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  Weights weights_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace rvm
