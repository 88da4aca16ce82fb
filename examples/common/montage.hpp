#pragma once

#include <cstddef>
#include <span>

#include <rvm/image/image.hpp>

namespace rvm::examples {

/// White pixels between the pictures of a montage.
inline constexpr std::size_t kMontageGap = 4;

/// Pictures of bytes beside each other, tops in a line, white between and below them. Throws rvm::FrameError if there
/// are none.
Image side_by_side(std::span<const Image> pictures);
/// Pictures of bytes below each other, left edges in a line, white between and beside them. Throws rvm::FrameError if
/// there are none.
Image one_below_the_other(std::span<const Image> pictures);

/// Each pixel as a block of `factor` x `factor`, such as one patch in one colour; floats become bytes.
Image enlarge(const FrameView& small, std::size_t factor);

}  // namespace rvm::examples
