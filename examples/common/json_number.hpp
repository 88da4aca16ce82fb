#pragma once

#include <algorithm>

#include <nlohmann/json.hpp>

namespace rvm::examples {

/// A JSON number as a coordinate in pixels; what is too large for any picture stays so, and fits a float.
inline float to_float(const nlohmann::json& number) {
  return static_cast<float>(std::clamp(number.get<double>(), -1e9, 1e9));
}

}  // namespace rvm::examples
