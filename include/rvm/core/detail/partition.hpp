#pragma once

#include <algorithm>
#include <cstddef>

namespace rvm::detail {

/// An even cut of `total` into parts of at most `largest`, each but the last a multiple of `grain`.
struct Partition {
  std::size_t total;
  std::size_t size;

  Partition(std::size_t total_, std::size_t largest, std::size_t grain) : total(total_), size(total_) {
    const std::size_t wanted = (total + largest - 1) / largest;
    if (wanted > 1) size = std::min(largest, ((total + wanted - 1) / wanted + grain - 1) / grain * grain);
  }
  std::size_t count() const noexcept { return size == 0 ? 0 : (total + size - 1) / size; }
  std::size_t first(std::size_t part) const noexcept { return part * size; }
  std::size_t length(std::size_t part) const noexcept { return std::min(size, total - part * size); }
};

}  // namespace rvm::detail
