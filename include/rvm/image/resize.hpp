#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include <rvm/core/detail/rounded.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>

// The plain ways to resize arrays [H, W] and [H, W, C] that the tracking protocol uses, as OpenCV computes them. Frames
// are resized by lanczos.hpp.

namespace rvm {
namespace detail {

/// Input position of output i: floor(i * in / out), as OpenCV's INTER_NEAREST.
inline std::size_t nearest_source(std::size_t i, std::size_t in, std::size_t out) noexcept {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  return std::min(static_cast<std::size_t>(static_cast<double>(i) * scale), in - 1);
}

/// Input position of output i: floor((i + 0.5) * in / out), as OpenCV's INTER_NEAREST_EXACT.
inline std::size_t nearest_exact_source(std::size_t i, std::size_t in, std::size_t out) noexcept {
  return (2 * i + 1) * in / (2 * out);
}

/// Output i is (1 - upper_weight) * in[lower] + upper_weight * in[upper].
struct BilinearTap {
  std::size_t lower = 0;
  std::size_t upper = 0;
  double upper_weight = 0.0;
};

/// Centres of pixels meet, edges go on for ever: OpenCV's INTER_LINEAR.
inline BilinearTap bilinear_tap(std::size_t i, std::size_t in, std::size_t out) noexcept {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double centre = rounded((static_cast<double>(i) + 0.5) * scale) - 0.5;
  const double lower = std::floor(centre);
  const double last = static_cast<double>(in - 1);
  return {static_cast<std::size_t>(std::clamp(lower, 0.0, last)),
          static_cast<std::size_t>(std::clamp(lower + 1.0, 0.0, last)), centre - lower};
}

inline void check_resize(const Shape& shape, std::size_t height, std::size_t width) {
  if ((shape.rank() != 2 && shape.rank() != 3) || shape.elements() == 0 || height == 0 || width == 0) {
    throw ArgumentError("cannot resize an array of shape " + to_string(shape) + " to " + std::to_string(height) + "x" +
                        std::to_string(width));
  }
}

inline Shape resized_shape(const Shape& shape, std::size_t height, std::size_t width) {
  return shape.rank() == 2 ? Shape{height, width} : Shape{height, width, shape[2]};
}

template <class T, class Source>
Tensor<T> pick_pixels(TensorView<const T> image, std::size_t height, std::size_t width, const Source& source) {
  const Shape& in = image.shape();
  check_resize(in, height, width);
  Tensor<T> out(resized_shape(in, height, width));
  const std::size_t channels = in.rank() == 2 ? 1 : in[2];
  T* to = out.data();
  for (std::size_t y = 0; y < height; ++y) {
    const T* const row = image[source(y, in[0], height)].data();
    for (std::size_t x = 0; x < width; ++x, to += channels) {
      std::copy_n(row + source(x, in[1], width) * channels, channels, to);
    }
  }
  return out;
}

}  // namespace detail

/// [H, W] or [H, W, C] -> the same with height x width pixels, each a copy of the input's at floor(i * in / out).
/// Throws ArgumentError on another rank or without pixels.
template <class T>
Tensor<std::remove_const_t<T>> resize_nearest(TensorView<T> image, std::size_t height, std::size_t width) {
  return detail::pick_pixels<std::remove_const_t<T>>(image, height, width, detail::nearest_source);
}
template <class T>
Tensor<T> resize_nearest(const Tensor<T>& image, std::size_t height, std::size_t width) {
  return resize_nearest(image.view(), height, width);
}

/// As resize_nearest, but each pixel a copy of the input's at floor((i + 0.5) * in / out).
template <class T>
Tensor<std::remove_const_t<T>> resize_nearest_exact(TensorView<T> image, std::size_t height, std::size_t width) {
  return detail::pick_pixels<std::remove_const_t<T>>(image, height, width, detail::nearest_exact_source);
}
template <class T>
Tensor<T> resize_nearest_exact(const Tensor<T>& image, std::size_t height, std::size_t width) {
  return resize_nearest_exact(image.view(), height, width);
}

/// [H, W] or [H, W, C] -> the same with height x width pixels, interpolated between the centres of the input's pixels,
/// without antialiasing. Throws ArgumentError on another rank or without pixels.
inline Tensor<float> resize_bilinear(TensorView<const float> image, std::size_t height, std::size_t width) {
  const Shape& in = image.shape();
  detail::check_resize(in, height, width);
  Tensor<float> out(detail::resized_shape(in, height, width));
  const std::size_t channels = in.rank() == 2 ? 1 : in[2];
  std::vector<double> row(in[1] * channels);
  float* to = out.data();
  for (std::size_t y = 0; y < height; ++y) {
    const detail::BilinearTap v = detail::bilinear_tap(y, in[0], height);
    const float* const lower = image[v.lower].data();
    const float* const upper = image[v.upper].data();
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = detail::rounded(static_cast<double>(lower[i]) * (1 - v.upper_weight)) +
               detail::rounded(static_cast<double>(upper[i]) * v.upper_weight);
    }
    for (std::size_t x = 0; x < width; ++x) {
      const detail::BilinearTap u = detail::bilinear_tap(x, in[1], width);
      for (std::size_t c = 0; c < channels; ++c) {
        *to++ = static_cast<float>(detail::rounded(row[u.lower * channels + c] * (1 - u.upper_weight)) +
                                   detail::rounded(row[u.upper * channels + c] * u.upper_weight));
      }
    }
  }
  return out;
}

}  // namespace rvm
