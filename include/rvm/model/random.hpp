#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/core/detail/split_mix.hpp>
#include <rvm/model/layout.hpp>

namespace rvm {

namespace detail {

// Deterministic numbers, the same bits on every machine: integers summed to a bell shape.
class BellSource {
 public:
  explicit BellSource(std::uint64_t seed) : random_(seed) {}

  // Mean 0, variance 1, within +-3.5: the sum of four 16-bit uniform numbers, scaled.
  float next() noexcept {
    const std::uint64_t z = random_.next();
    const auto sum =
        static_cast<std::int32_t>((z & 0xffffU) + ((z >> 16) & 0xffffU) + ((z >> 32) & 0xffffU) + (z >> 48));
    constexpr std::int32_t kMean = 2 * 65535;
    constexpr float kScale = 0x1.bb67aep-16F;  // sqrt(3) / 65536
    return static_cast<float>(sum - kMean) * kScale;
  }

 private:
  SplitMix64 random_;
};

}  // namespace detail

/// Deterministic random weights in the official layout, for benchmarks and tests: the same configuration and seed give
/// the same bits everywhere. Kernels have variance 1 / fan-in (nine times that for the patches), biases 0.01, norm
/// scales lie around 1, so that activations keep the size that they have in a trained model and no parameter is without
/// effect. Features made with them mean nothing.
inline Weights random_weights(const Config& config, std::uint64_t seed = 0) {
  const detail::FloatEnvironment environment(detail::Denormals::kKept);
  std::vector<std::pair<std::string, Tensor<float>>> arrays;
  for (const ArrayDescription& array : checkpoint_layout(config)) {
    detail::BellSource source(seed * 0x632be59bd9b4e019U + arrays.size() * 0x9e3779b97f4a7c15U);
    const bool patches = array.fan_in == kPatchValues && array.shape.rank() == 5;
    float mean = 0;
    float deviation = 0.1F;
    switch (array.role) {
      case ArrayRole::kKernel: deviation = (patches ? 3.0F : 1.0F) / std::sqrt(static_cast<float>(array.fan_in)); break;
      case ArrayRole::kToken: deviation = 0.5F; break;
      case ArrayRole::kScale: mean = 1; break;
      case ArrayRole::kBias: break;
    }
    Tensor<float> values(array.shape);
    // In double, where the product is exact, so that a fused multiply-add gives the same bits.
    for (float& v : values) v = static_cast<float>(mean + double{deviation} * double{source.next()});
    arrays.emplace_back(array.key, std::move(values));
  }
  return Weights::from_tensors("random weights (seed " + std::to_string(seed) + ")", std::move(arrays));
}

}  // namespace rvm
