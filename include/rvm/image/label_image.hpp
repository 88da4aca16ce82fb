#pragma once

#include <cstdint>

#include <rvm/core/tensor.hpp>

namespace rvm {

/// [H, W]: one label a pixel; 0 is the background.
using LabelImage = Tensor<std::uint8_t>;

}  // namespace rvm
