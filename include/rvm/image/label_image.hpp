#pragma once

#include <cstdint>

#include <rvm/core/tensor.hpp>

namespace rvm {

/// [H, W]: the label of every pixel, 0 for the background; what an indexed PNG of a segmentation data set holds.
using LabelImage = Tensor<std::uint8_t>;

}  // namespace rvm
