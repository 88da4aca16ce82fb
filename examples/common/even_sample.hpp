#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace rvm::examples {

/// A few items of a sequence, spread evenly over it however long it turns out to be, in memory for twice as many: when
/// the room is full, every other item is dropped and the step between them doubled.
template <class T>
class EvenSample {
 public:
  /// Of `count` items, at least one.
  explicit EvenSample(std::size_t count) : count_(count) {}

  /// Whether the t-th item of the sequence, from 0, is to be added.
  bool wants(std::size_t t) const { return t % step_ == 0; }
  void add(T item) {
    if (items_.size() == 2 * count_) {
      for (std::size_t i = 0; 2 * i < items_.size(); ++i) std::swap(items_[i], items_[2 * i]);
      items_.resize(count_);
      step_ *= 2;
    }
    items_.push_back(std::move(item));
  }
  /// `count` items, the first and nearly the last among them, or all if there are no more.
  std::vector<T> take() {
    std::vector<T> out;
    const std::size_t count = std::min(count_, items_.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = count == 1 ? 0 : (i * (items_.size() - 1) + (count - 1) / 2) / (count - 1);
      out.push_back(std::move(items_[at]));
    }
    return out;
  }

 private:
  std::size_t count_;
  std::size_t step_ = 1;
  std::vector<T> items_;
};

}  // namespace rvm::examples
