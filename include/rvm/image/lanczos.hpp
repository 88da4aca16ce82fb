#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <type_traits>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/core/detail/rounded.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>

// Lanczos resampling (a = 3) with the arithmetic of Pillow 13's Image.resize(size, LANCZOS): on bytes the same to the
// last bit. One pass along each axis; each pass rounds, and an axis that keeps its size is left alone. Rows are
// shortened first, but for frames that lose much more height than width (older Pillows do not make that exception).

namespace rvm {
namespace detail {

/// For each output position along one axis: the input positions that it is a weighted sum of, and the weights.
class LanczosFilter {
 public:
  static constexpr int kFixedPointBits = 22;

  LanczosFilter() = default;
  LanczosFilter(std::size_t in_size, std::size_t out_size) : in_size_(in_size), first_(out_size), count_(out_size) {
    const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
    const double stretch = std::max(scale, 1.0);
    const double radius = rounded(kLobes * stretch);
    stride_ = 2 * static_cast<std::size_t>(std::ceil(radius)) + 1;
    weights_.resize(out_size * stride_);
    for (std::size_t i = 0; i < out_size; ++i) {
      const double centre = rounded((static_cast<double>(i) + 0.5) * scale);
      const double last = std::min(std::trunc(centre + radius + 0.5), static_cast<double>(in_size));
      first_[i] = static_cast<std::size_t>(std::max(centre - radius + 0.5, 0.0));
      count_[i] = static_cast<std::size_t>(last) - first_[i];
      double* weights = &weights_[i * stride_];
      double sum = 0.0;
      for (std::size_t k = 0; k < count_[i]; ++k) {
        weights[k] = kernel((static_cast<double>(first_[i] + k) - centre + 0.5) * (1.0 / stretch));
        sum += weights[k];
      }
      for (std::size_t k = 0; k < count_[i] && sum != 0.0; ++k) weights[k] /= sum;
    }
    fixed_weights_.resize(weights_.size());
    std::transform(weights_.begin(), weights_.end(), fixed_weights_.begin(), [](double weight) {
      return static_cast<std::int32_t>(weight * (1 << kFixedPointBits) + (weight < 0 ? -0.5 : 0.5));
    });
  }

  std::size_t in_size() const noexcept { return in_size_; }
  std::size_t out_size() const noexcept { return first_.size(); }
  /// The input positions of output i are [first(i), first(i) + count(i)).
  std::size_t first(std::size_t i) const noexcept { return first_[i]; }
  std::size_t count(std::size_t i) const noexcept { return count_[i]; }
  /// Their weights: fixed point with kFixedPointBits for bytes, double for floats.
  template <class Element>
  const auto* weights(std::size_t i) const noexcept {
    if constexpr (std::is_same_v<Element, std::uint8_t>) {
      return &fixed_weights_[i * stride_];
    } else {
      return &weights_[i * stride_];
    }
  }

 private:
  static constexpr double kLobes = 3.0;

  static double sinc(double x) noexcept {
    if (x == 0.0) return 1.0;
    x *= std::numbers::pi;
    return std::sin(x) / x;
  }
  static double kernel(double x) noexcept {
    return x >= -kLobes && x < kLobes ? rounded(sinc(x) * sinc(x / kLobes)) : 0.0;
  }

  std::size_t in_size_ = 0;
  std::size_t stride_ = 0;
  std::vector<std::size_t> first_;
  std::vector<std::size_t> count_;
  std::vector<double> weights_;
  std::vector<std::int32_t> fixed_weights_;
};

inline std::uint8_t lanczos_result(std::int32_t sum, std::uint8_t /*element*/) noexcept {
  return static_cast<std::uint8_t>(std::clamp(sum >> LanczosFilter::kFixedPointBits, 0, 255));
}
inline float lanczos_result(double sum, float /*element*/) noexcept {
  return static_cast<float>(sum);
}

/// out[j] = sum over k of weights[k] * in[k * stride + j], for j in [0, kSize): kSize sums side by side.
template <std::size_t kSize, class Element, class Weight>
[[gnu::always_inline]] inline void weighted_sums(const Element* in, std::ptrdiff_t stride, const Weight* weights,
                                                 std::size_t count, Element* out) {
  constexpr Weight kHalf = std::is_integral_v<Weight> ? 1 << (LanczosFilter::kFixedPointBits - 1) : 0;
  Weight sums[kSize];
  for (std::size_t j = 0; j < kSize; ++j) sums[j] = kHalf;
  for (std::size_t k = 0; k < count; ++k) {
    const Element* row = in + static_cast<std::ptrdiff_t>(k) * stride;
    for (std::size_t j = 0; j < kSize; ++j) sums[j] += rounded(weights[k] * static_cast<Weight>(row[j]));
  }
  for (std::size_t j = 0; j < kSize; ++j) out[j] = lanczos_result(sums[j], Element{});
}

/// Rows that are filtered side by side along their length, and the elements in as many pixels.
inline constexpr std::size_t kLanczosRows = 16;
inline constexpr std::size_t kLanczosLanes = 3 * kLanczosRows;

/// As weighted_sums, for a row of `size` elements, a multiple of 3.
template <class Element, class Weight>
[[gnu::always_inline]] inline void weighted_row(const Element* in, std::ptrdiff_t stride, const Weight* weights,
                                                std::size_t count, std::size_t size, Element* out) {
  if (size < kLanczosLanes) {
    for (std::size_t j = 0; j < size; j += 3) weighted_sums<3>(in + j, stride, weights, count, out + j);
    return;
  }
  for (std::size_t j = 0; j < size; j += kLanczosLanes) {
    const std::size_t begin = std::min(j, size - kLanczosLanes);  // the last block overlaps the one before
    weighted_sums<kLanczosLanes>(in + begin, stride, weights, count, out + begin);
  }
}

#if defined(__x86_64__)
template <class Element, class Weight>
[[gnu::target("avx2")]] void weighted_row_avx2(const Element* in, std::ptrdiff_t stride, const Weight* weights,
                                               std::size_t count, std::size_t size, Element* out) {
  weighted_row(in, stride, weights, count, size, out);
}
#endif

template <class Element, class Weight>
void weighted_row_here(const Element* in, std::ptrdiff_t stride, const Weight* weights, std::size_t count,
                       std::size_t size, Element* out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return weighted_row_avx2(in, stride, weights, count, size, out);
#endif
  weighted_row(in, stride, weights, count, size, out);
}

// Element by element: GCC calls memmove for a copy of three bytes.
template <class Element>
void copy_pixel(const Element* in, Element* out) noexcept {
  out[0] = in[0];
  out[1] = in[1];
  out[2] = in[2];
}

/// Rows [begin, end) of a frame, filtered along their length: pixels [end - begin, filter.out_size(), 3]. Sixteen rows
/// are laid side by side in `block` first, so that each output pixel of the sixteen is one sum of contiguous elements.
template <class Element>
void filter_along_rows(const FrameView& frame, std::size_t begin, std::size_t end, const LanczosFilter& filter,
                       Image& block, Image& out) {
  block.reset(frame.width(), kLanczosRows, out.format());
  const TensorView<Element> columns = pixels_of<Element>(block);
  const TensorView<Element> result = pixels_of<Element>(out);
  for (std::size_t top = begin; top < end; top += kLanczosRows) {
    const std::size_t rows = std::min(kLanczosRows, end - top);
    for (std::size_t r = 0; r < rows; ++r) {
      const Element* in = row_of<Element>(frame, top + r);
      Element* column = columns.data() + 3 * r;
      for (std::size_t x = 0; x < frame.width(); ++x, in += 3, column += kLanczosLanes) copy_pixel(in, column);
    }
    for (std::size_t x = 0; x < filter.out_size(); ++x) {
      Element sums[kLanczosLanes];
      weighted_row_here(&columns(filter.first(x), 0, 0), kLanczosLanes, filter.weights<Element>(x), filter.count(x),
                        kLanczosLanes, sums);
      for (std::size_t r = 0; r < rows; ++r) copy_pixel(sums + 3 * r, &result(top - begin + r, x, 0));
    }
  }
}

/// A frame filtered along its columns, which start at row `top` of what the filter was made for.
template <class Element>
void filter_along_columns(const FrameView& frame, std::size_t top, const LanczosFilter& filter, Image& out) {
  const TensorView<Element> result = pixels_of<Element>(out);
  const std::ptrdiff_t stride = frame.row_stride() / static_cast<std::ptrdiff_t>(sizeof(Element));
  for (std::size_t y = 0; y < filter.out_size(); ++y) {
    weighted_row_here(row_of<Element>(frame, filter.first(y) - top), stride, filter.weights<Element>(y),
                      filter.count(y), 3 * frame.width(), result[y].data());
  }
}

}  // namespace detail

/// Resizes frames one after the other. Keeps the weights of the last pair of sizes and its scratch memory, so a video
/// loop allocates nothing once warm. One thread at a time.
class Resizer {
 public:
  /// Makes `out` the frame at height x width: kRgb of any 8-bit format (alpha is ignored), kRgbFloat of floats (summed
  /// in double, stored as float after each pass, not clipped to [0, 1]). `out` must not hold the frame's own pixels.
  /// Throws FrameError if the frame or the size asked for is empty.
  void resize(const FrameView& frame, std::size_t height, std::size_t width, Image& out) {
    if (frame.empty() || height == 0 || width == 0) throw FrameError("cannot resize from or to an empty image");
    const detail::FloatEnvironment environment(detail::Denormals::kKept);
    if (frame.format() == PixelFormat::kRgbFloat) {
      resize_elements<float>(frame, height, width, out);
    } else {
      resize_elements<std::uint8_t>(frame, height, width, out);
    }
  }

 private:
  static void plan(detail::LanczosFilter& filter, std::size_t in_size, std::size_t out_size) {
    if (filter.in_size() != in_size || filter.out_size() != out_size) filter = detail::LanczosFilter(in_size, out_size);
  }

  template <class Element>
  void resize_elements(const FrameView& frame, std::size_t height, std::size_t width, Image& out) {
    const PixelFormat format = std::is_same_v<Element, float> ? PixelFormat::kRgbFloat : PixelFormat::kRgb;
    const bool same_height = height == frame.height();
    const bool same_width = width == frame.width();
    if (same_height && same_width) return to_rgb(frame, out);

    FrameView in = frame;
    if (frame.format() != format) {
      to_rgb(frame, rgb_);
      in = rgb_;
    }
    out.reset(height, width, format);
    plan(along_rows_, in.width(), width);
    plan(along_columns_, in.height(), height);
    if (same_height) {
      detail::filter_along_rows<Element>(in, 0, height, along_rows_, block_, out);
    } else if (same_width) {
      detail::filter_along_columns<Element>(in, 0, along_columns_, out);
    } else if (columns_first(in, height, width)) {
      between_.reset(height, in.width(), format);
      detail::filter_along_columns<Element>(in, 0, along_columns_, between_);
      detail::filter_along_rows<Element>(between_, 0, height, along_rows_, block_, out);
    } else {
      const std::size_t begin = along_columns_.first(0);
      const std::size_t end = along_columns_.first(height - 1) + along_columns_.count(height - 1);
      between_.reset(end - begin, width, format);
      detail::filter_along_rows<Element>(in, begin, end, along_rows_, block_, between_);
      detail::filter_along_columns<Element>(between_, begin, along_columns_, out);
    }
  }

  // The order of the passes matters to the last bit, so the rule is Pillow's: columns go first if the frame loses
  // height, and more than twice what it loses in width.
  static bool columns_first(const FrameView& in, std::size_t height, std::size_t width) noexcept {
    return height < in.height() && in.height() - height + 2 * width > 2 * in.width();
  }

  detail::LanczosFilter along_rows_;
  detail::LanczosFilter along_columns_;
  Image rgb_;      // the frame, if it is in another format
  Image between_;  // after the first pass
  Image block_;
};

/// The frame at height x width; see Resizer::resize.
inline Image resize(const FrameView& frame, std::size_t height, std::size_t width) {
  Image out;
  Resizer().resize(frame, height, width, out);
  return out;
}

}  // namespace rvm
