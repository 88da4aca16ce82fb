#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/array.hpp>
#include <rvm/weights/detail/closest_key.hpp>

namespace rvm {

namespace detail {

/// Arrays under keys, wherever they come from; never changes, so that any number of threads may read.
class WeightStore {
 public:
  WeightStore(const WeightStore&) = delete;
  WeightStore& operator=(const WeightStore&) = delete;
  virtual ~WeightStore() = default;

  const std::string& source() const noexcept { return source_; }
  const std::vector<std::string>& keys() const noexcept { return keys_; }
  std::optional<std::size_t> find(std::string_view key) const {
    const auto found = indices_.find(key);
    return found == indices_.end() ? std::nullopt : std::optional(found->second);
  }

  /// The array under keys()[index].
  virtual WeightArray array(std::size_t index) const = 0;
  /// Gives back the memory that reading this array has made resident.
  virtual void discard(std::size_t index) const noexcept = 0;

 protected:
  /// Throws WeightsError if a key occurs twice.
  WeightStore(std::string source, std::vector<std::string> keys) : source_(std::move(source)), keys_(std::move(keys)) {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (!indices_.emplace(keys_[i], i).second) {
        throw WeightsError(source_, keys_[i], "every key once", "it twice");
      }
    }
  }

 private:
  std::string source_;
  std::vector<std::string> keys_;
  std::unordered_map<std::string_view, std::size_t> indices_;  // views of keys_
};

}  // namespace detail

/// A read-only map from keys to arrays: a weight file, or tensors in memory. Copies are cheap and share the arrays.
/// Safe to read from several threads.
class Weights {
 public:
  explicit Weights(std::shared_ptr<const detail::WeightStore> store) : store_(std::move(store)) {}

  /// Arrays in memory. `source` stands for the file's name in messages. Throws WeightsError if a key occurs twice.
  static Weights from_tensors(std::string source, std::vector<std::pair<std::string, Tensor<float>>> tensors);

  /// The file's name.
  const std::string& source() const noexcept { return store_->source(); }
  /// All keys, in the file's order.
  std::vector<std::string> keys() const { return store_->keys(); }
  std::size_t size() const noexcept { return store_->keys().size(); }
  bool contains(std::string_view key) const { return store_->find(key).has_value(); }

  /// Throws WeightsError if the key is missing or what the file has under it is no array.
  WeightArray at(std::string_view key) const {
    if (const std::optional<std::size_t> index = store_->find(key)) return store_->array(*index);
    const std::string closest = detail::closest_key(key, store_->keys());
    throw WeightsError(source(), std::string(key), "the array to be present",
                       "no such key among " + std::to_string(size()) +
                           (closest.empty() ? "" : "; the closest is \"" + closest + "\""));
  }

  /// The same arrays, of which a model also takes values that are NaN or infinite. Without it, it refuses them.
  Weights allow_non_finite() const {
    Weights allowing = *this;
    allowing.non_finite_allowed_ = true;
    return allowing;
  }
  bool non_finite_allowed() const noexcept { return non_finite_allowed_; }

  /// Gives back the pages of a mapped file that reading this array has made resident. It can be read again.
  void discard(std::string_view key) const noexcept {
    if (const std::optional<std::size_t> index = store_->find(key)) store_->discard(*index);
  }

 private:
  std::shared_ptr<const detail::WeightStore> store_;
  bool non_finite_allowed_ = false;
};

namespace detail {

/// Tensors in memory.
class MemoryStore final : public WeightStore {
 public:
  using Tensors = std::vector<std::pair<std::string, Tensor<float>>>;

  MemoryStore(std::string source, Tensors tensors)
      : WeightStore(std::move(source), keys_of(tensors)), tensors_(std::make_shared<Tensors>(std::move(tensors))) {}

  WeightArray array(std::size_t index) const override {
    const auto& [key, tensor] = (*tensors_)[index];
    return WeightArray({.file = source(),
                        .key = key,
                        .dtype = DType::kFloat32,
                        .shape = tensor.shape(),
                        .fortran_order = false,
                        .bytes = std::as_bytes(tensor.span()),
                        .owner = tensors_,
                        .checksum = std::nullopt});
  }
  void discard(std::size_t) const noexcept override {}

 private:
  static std::vector<std::string> keys_of(const Tensors& tensors) {
    std::vector<std::string> keys;
    keys.reserve(tensors.size());
    for (const auto& [key, tensor] : tensors) keys.push_back(key);
    return keys;
  }

  std::shared_ptr<const Tensors> tensors_;
};

}  // namespace detail

inline Weights Weights::from_tensors(std::string source, std::vector<std::pair<std::string, Tensor<float>>> tensors) {
  return Weights(std::make_shared<detail::MemoryStore>(std::move(source), std::move(tensors)));
}

}  // namespace rvm
