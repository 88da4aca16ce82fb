#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/core/detail/rounded.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {

/// Sines and cosines of the positions 0 .. positions - 1: [positions, width] (spec, section 3). Position p, column j:
/// sin (j even) or cos (j odd) of p / 10000^(2 floor(j / 2) / width), computed in double.
inline Tensor<float> sinusoid_table(std::size_t positions, std::size_t width) {
  const detail::FloatEnvironment environment;
  Tensor<float> table({positions, width});
  for (std::size_t j = 0; j < width; ++j) {
    const double period = std::pow(10000.0, static_cast<double>(2 * (j / 2)) / static_cast<double>(width));
    for (std::size_t p = 0; p < positions; ++p) {
      const double angle = static_cast<double>(p) / period;
      table(p, j) = static_cast<float>(j % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return table;
}

namespace detail {

// Keys' cubic kernel with a = -0.5.
inline double keys_cubic(double x) {
  x = std::abs(x);
  if (x >= 2) return 0;
  return x >= 1 ? rounded((rounded((-0.5 * x + 2.5) * x) - 4) * x) + 2 : rounded((rounded(1.5 * x) - 2.5) * x * x) + 1;
}

// [out, in] weights of a cubic resize along one axis: half-pixel centres, antialiased when shrinking, renormalised at
// the borders.
inline Tensor<double> cubic_resize_weights(std::size_t in, std::size_t out) {
  const double scale = static_cast<double>(out) / static_cast<double>(in);
  const double kernel_scale = std::max(1 / scale, 1.0);
  Tensor<double> weights({out, in});
  for (std::size_t o = 0; o < out; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) / scale - 0.5;
    double total = 0;
    for (std::size_t i = 0; i < in; ++i) {
      total += weights(o, i) = keys_cubic((centre - static_cast<double>(i)) / kernel_scale);
    }
    for (std::size_t i = 0; i < in; ++i) weights(o, i) /= total;
  }
  return weights;
}

}  // namespace detail

/// Position encoding of a grid of h x w patches: [h, w, width] (spec, section 3). On the 16 x 16 grid that the model
/// was trained on it is the sinusoid table itself, otherwise that table, bicubically resized (Keys, a = -0.5).
inline Tensor<float> position_encoding(std::size_t h, std::size_t w, std::size_t width) {
  constexpr std::size_t kBase = 16;
  const Tensor<float> base = sinusoid_table(kBase * kBase, width);
  Tensor<float> out({h, w, width});
  if (h == kBase && w == kBase) {
    std::copy(base.begin(), base.end(), out.begin());
    return out;
  }
  const Tensor<double> rows = detail::cubic_resize_weights(kBase, h);
  const Tensor<double> cols = detail::cubic_resize_weights(kBase, w);
  Tensor<double> half({kBase, w, width});  // resized along the columns
  for (std::size_t i = 0; i < kBase; ++i) {
    for (std::size_t x = 0; x < w; ++x) {
      for (std::size_t j = 0; j < kBase; ++j) {
        for (std::size_t d = 0; d < width; ++d) {
          half(i, x, d) += detail::rounded(cols(x, j) * static_cast<double>(base(i * kBase + j, d)));
        }
      }
    }
  }
  std::vector<double> sum(width);
  for (std::size_t y = 0; y < h; ++y) {
    for (std::size_t x = 0; x < w; ++x) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (std::size_t i = 0; i < kBase; ++i) {
        for (std::size_t d = 0; d < width; ++d) sum[d] += detail::rounded(rows(y, i) * half(i, x, d));
      }
      std::transform(sum.begin(), sum.end(), out.data() + (y * w + x) * width,
                     [](double v) { return static_cast<float>(v); });
    }
  }
  return out;
}

}  // namespace rvm
