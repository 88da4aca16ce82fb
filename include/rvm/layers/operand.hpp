#pragma once

#include <concepts>
#include <cstddef>

#include <rvm/backend/concept.hpp>

namespace rvm {

/// Elements of memory that as_operand() needs for `n` numbers.
template <Backend B>
constexpr std::size_t operand_size(std::size_t n) {
  return std::same_as<typename B::Element, float> ? 0 : n;
}

/// x in the element type that products read: x itself where that is float, else a copy in `room`, which has
/// `operand_size<B>(x.rows * x.cols)` elements.
template <Backend B>
MatrixView<const typename B::Element> as_operand(typename B::Executor& run, MatrixView<const float> x,
                                                 typename B::template Buffer<typename B::Element>& room) {
  if constexpr (std::same_as<typename B::Element, float>) {
    return x;
  } else {
    const MatrixView<typename B::Element> converted(room.data(), x.rows, x.cols);
    run.convert(x, converted);
    return converted;
  }
}

}  // namespace rvm
