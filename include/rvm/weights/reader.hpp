#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <rvm/core/detail/finite.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/hash.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/weights.hpp>

namespace rvm {

/// Reads a model's arrays one after another: checks shape and values, converts to float, gives the file's pages back,
/// and adds each array to a fingerprint of the model. Used by one thread at a time.
class WeightReader {
 public:
  explicit WeightReader(Weights weights) : weights_(std::move(weights)) {}

  const Weights& weights() const noexcept { return weights_; }

  /// The array's shape, to tell a size by. Throws WeightsError if it is missing, unreadable, not of `rank` axes or
  /// without elements.
  Shape shape(const std::string& key, std::size_t rank) const {
    const Shape found = weights_.at(key).shape();
    if (found.rank() != rank) {
      throw WeightsError(weights_.source(), key, std::to_string(rank) + " axes", "shape " + to_string(found));
    }
    if (found.elements() == 0) throw WeightsError(weights_.source(), key, "elements", "shape " + to_string(found));
    return found;
  }

  /// The array's values in row-major order. Throws WeightsError if it is missing, unreadable, of another shape, not of
  /// a floating-point type, or has a value that is NaN or infinite, as float, where the weights do not allow it.
  Tensor<float> read(const std::string& key, const Shape& expected) {
    const WeightArray array = weights_.at(key);
    if (array.shape() != expected) {
      throw WeightsError(weights_.source(), key, "shape " + to_string(expected) + " to agree with the other arrays",
                         "shape " + to_string(array.shape()));
    }
    Tensor<float> values(expected);
    array.copy_to(values.span());
    if (!weights_.non_finite_allowed() && !detail::all_finite(values.data(), values.size()))
      refuse_non_finite(key, values);
    weights_.discard(key);
    fingerprint_ += hash_bytes(std::as_bytes(values.span()), hash_bytes(std::as_bytes(std::span(key))));
    return values;
  }

  /// A number that differs, in all likelihood, between models whose arrays read so far differ in key or value, whatever
  /// the file's format and whatever the order of reading.
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  [[noreturn]] void refuse_non_finite(const std::string& key, const Tensor<float>& values) const {
    std::size_t i = 0;
    while (detail::is_finite(values.data()[i])) ++i;
    throw WeightsError(weights_.source(), key, "finite values",
                       (detail::is_nan(values.data()[i]) ? "NaN" : "infinity") + (" in element " + std::to_string(i)));
  }

  Weights weights_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace rvm
