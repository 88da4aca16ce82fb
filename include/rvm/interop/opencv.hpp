#pragma once

/// \file
/// OpenCV's matrices as frames, and features, images and masks as OpenCV's matrices, without a copy. For programs that
/// have OpenCV (its module core is enough): nothing else of this library includes this header.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <opencv2/core.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/interop/channel_order.hpp>

namespace rvm {
namespace detail {

/// OpenCV's name of an element: CV_32F for float.
template <class T>
constexpr int mat_depth() noexcept {
  using Element = std::remove_const_t<T>;
  return cv::DataType<Element>::depth;
}

inline void check_mat_frame(const cv::Mat& mat) {
  if (mat.empty()) throw FrameError("a frame is an empty cv::Mat");
  if (mat.dims != 2) throw FrameError("a frame is a cv::Mat of 2 dimensions, found " + std::to_string(mat.dims));
}

inline FrameView byte_frame_view(const cv::Mat& mat, PixelFormat format) {
  return {mat.ptr<std::uint8_t>(), static_cast<std::size_t>(mat.rows), static_cast<std::size_t>(mat.cols), format,
          static_cast<std::ptrdiff_t>(mat.step[0])};
}

inline FrameView float_frame_view(const cv::Mat& mat) {
  return {mat.ptr<float>(), static_cast<std::size_t>(mat.rows), static_cast<std::size_t>(mat.cols),
          static_cast<std::ptrdiff_t>(mat.step[0])};
}

}  // namespace detail

/// The pixels of a matrix as a frame, without a copy: CV_8UC1, CV_8UC3 and CV_8UC4 in [0, 255] in either order, and
/// CV_32FC3 in [0, 1] in the order kRgb. A region of interest is a frame like any other. Valid as long as the matrix's
/// memory. Throws FrameError on an empty matrix, more than 2 dimensions or another type.
inline FrameView frame_view(const cv::Mat& mat, ChannelOrder order = ChannelOrder::kBgr) {
  detail::check_mat_frame(mat);
  const bool rgb = order == ChannelOrder::kRgb;
  switch (mat.type()) {
    case CV_8UC1: return detail::byte_frame_view(mat, PixelFormat::kGrey);
    case CV_8UC3: return detail::byte_frame_view(mat, rgb ? PixelFormat::kRgb : PixelFormat::kBgr);
    case CV_8UC4: return detail::byte_frame_view(mat, rgb ? PixelFormat::kRgba : PixelFormat::kBgra);
    case CV_32FC3:
      if (rgb) return detail::float_frame_view(mat);
      break;
    default: break;
  }
  throw FrameError("a frame is a cv::Mat of type CV_8UC1, CV_8UC3, CV_8UC4 or, in the order RGB, CV_32FC3, found " +
                   cv::typeToString(mat.type()) +
                   (mat.type() == CV_32FC3   ? " in the order BGR: give frame_view an Image to convert it in"
                    : mat.type() == CV_32FC1 ? ": give frame_view an Image to convert it in"
                                             : ""));
}

/// The same, and CV_32FC1 (grey) and CV_32FC3 in the order kBgr too: floats that are not RGB are written to `scratch`
/// as RGB, and the frame is a view of that. Allocates only when the size changes.
inline FrameView frame_view(const cv::Mat& mat, Image& scratch, ChannelOrder order = ChannelOrder::kBgr) {
  detail::check_mat_frame(mat);
  const bool grey = mat.type() == CV_32FC1;
  if (!grey && (mat.type() != CV_32FC3 || order == ChannelOrder::kRgb)) return frame_view(mat, order);
  const auto height = static_cast<std::size_t>(mat.rows);
  const auto width = static_cast<std::size_t>(mat.cols);
  scratch.reset(height, width, PixelFormat::kRgbFloat);
  for (std::size_t y = 0; y < height; ++y) {
    const float* in = mat.ptr<float>(static_cast<int>(y));
    float* out = scratch.floats()[y].data();
    for (std::size_t x = 0; x < width; ++x, in += grey ? 1 : 3, out += 3) {
      out[0] = in[grey ? 0 : 2];
      out[1] = in[grey ? 0 : 1];
      out[2] = in[0];
    }
  }
  return scratch.view();
}

/// A tensor as a matrix, without a copy; valid as long as the tensor's memory. [h, w] and [n] (as 1 x n) have one
/// channel; [h, w, C] has C channels, or, where C is above CV_CN_MAX (512), three dimensions and one channel; more axes
/// are as many dimensions. Features are thus mat_view(features.tokens()) and mat_view(features.cls()); an Image's bytes
/// are in the order RGB. OpenCV knows no matrix that cannot be written: do not write to one made of const elements.
/// Throws ArgumentError if an extent does not fit an int.
template <class T>
cv::Mat mat_view(TensorView<T> values) {
  if (values.empty()) return {};
  std::vector<int> sizes;
  for (const std::size_t extent : values.shape()) {
    if (extent > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw ArgumentError("a tensor of shape " + to_string(values.shape()) + " does not fit a cv::Mat");
    }
    sizes.push_back(static_cast<int>(extent));
  }
  while (sizes.size() < 2) sizes.insert(sizes.begin(), 1);
  int channels = 1;
  if (sizes.size() == 3 && sizes.back() <= CV_CN_MAX) {
    channels = sizes.back();
    sizes.pop_back();
  }
  auto* const data = const_cast<std::remove_const_t<T>*>(values.data());
  return {static_cast<int>(sizes.size()), sizes.data(), CV_MAKETYPE(detail::mat_depth<T>(), channels), data};
}
template <class T>
cv::Mat mat_view(Tensor<T>& values) {
  return mat_view(values.view());
}
template <class T>
cv::Mat mat_view(const Tensor<T>& values) {
  return mat_view(values.view());
}
/// A matrix of memory that is gone at once.
template <class T>
cv::Mat mat_view(Tensor<T>&&) = delete;

/// A matrix as a tensor, without a copy: a matrix's dimensions and, if it has more than one, its channels as the last
/// axis. Valid as long as the matrix's memory. Throws ArgumentError if its elements are not T or its rows do not follow
/// one another without a gap (mat.clone() closes them).
template <class T>
TensorView<T> tensor_view(const cv::Mat& mat) {
  if (mat.empty()) return {nullptr, {0}};
  if (mat.depth() != detail::mat_depth<T>()) {
    throw ArgumentError("expected a cv::Mat with elements of type " + cv::typeToString(detail::mat_depth<T>()) +
                        ", found type " + cv::typeToString(mat.type()));
  }
  if (!mat.isContinuous()) {
    throw ArgumentError("expected a cv::Mat whose rows follow one another without a gap: take its clone()");
  }
  std::vector<std::size_t> extents(mat.size.p, mat.size.p + mat.dims);
  if (mat.channels() > 1) extents.push_back(static_cast<std::size_t>(mat.channels()));
  return {reinterpret_cast<T*>(mat.data), Shape(std::span<const std::size_t>(extents))};
}

/// A copy of a mask, CV_8UC1 with a label for every pixel, such as a MaskTracker takes; any region of interest. Throws
/// ArgumentError on another type, more than 2 dimensions or an empty matrix.
inline LabelImage label_image(const cv::Mat& mat) {
  if (mat.empty() || mat.dims != 2 || mat.type() != CV_8UC1) {
    throw ArgumentError("a mask is a cv::Mat of type CV_8UC1, found " +
                        (mat.empty() ? std::string("an empty one") : cv::typeToString(mat.type())));
  }
  LabelImage labels({static_cast<std::size_t>(mat.rows), static_cast<std::size_t>(mat.cols)});
  for (int y = 0; y < mat.rows; ++y) {
    std::copy_n(mat.ptr<std::uint8_t>(y), mat.cols, labels[static_cast<std::size_t>(y)].begin());
  }
  return labels;
}

}  // namespace rvm
