#pragma once

#include <cstddef>
#include <cstdint>

#include <rvm/backend/concept.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/matrix.hpp>
#include <rvm/image/frame.hpp>

/// CUDA's cudaStream_t is a pointer to this.
struct CUstream_st;

/// Launchers of our own kernels. Declared without CUDA's headers; defined in the .cu files beside this one.
///
/// Every pointer is one of device memory. A launcher puts kernels into `queue` and returns at once: it allocates
/// nothing, waits for nothing, may be captured into a graph, and may be called from several threads. It validates
/// nothing, and takes any sizes (none does nothing), strides and alignment of elements; whole vectors of 16 bytes are
/// read where addresses and strides allow. What it returns is the cudaError_t of the launch, 0 for success.
///
/// T is float, bfloat16 or float16, unless an operation says otherwise; T's in one call are the same.
namespace rvm::detail::cuda {

/// e4m3: a storage format of 4 bits of exponent and 3 of mantissa, up to 448, without infinity.
struct Float8 {
  std::uint8_t bits = 0;
  friend bool operator==(Float8, Float8) = default;
};

/// The largest finite Float8.
inline constexpr float kFloat8Max = 448.0F;

/// How numbers become Float8: stored = number / scale, rounded to nearest even, saturated; NaN stays NaN. Exactly one
/// pointer is set.
struct Float8Scale {
  const float* fixed = nullptr;  // one number for all, given
  float* per_row = nullptr;      // a number for each row, chosen (largest magnitude / 448; 1 for zeros) and written
};

/// A layer norm's parameters: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, bias null for none.
struct NormParameters {
  const float* scale = nullptr;
  const float* bias = nullptr;
  float epsilon = 1e-6F;
};

/// A frame in device memory, as FrameView.
struct DeviceFrame {
  const void* data = nullptr;
  std::ptrdiff_t row_stride = 0;  // bytes
  PixelFormat format = PixelFormat::kRgb;
};

/// The widest head that attention() takes.
inline constexpr std::size_t kMaxHeadDim = 128;

// norms.cu. The residual add before a norm is a matrix product's: it adds to what is there (Product::accumulate).

/// y = norm(x); a float y may be x itself.
template <class T>
int layer_norm(CUstream_st* queue, MatrixView<const float> x, NormParameters norm, MatrixView<T> y);
int layer_norm(CUstream_st* queue, MatrixView<const float> x, NormParameters norm, MatrixView<Float8> y,
               Float8Scale scale);

/// out = sigmoid(a + b) * norm(state)
template <class T>
int reset_gate(CUstream_st* queue, MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> state,
               NormParameters norm, MatrixView<T> out);

/// next = (1 - u) * state + u * norm(x), u = sigmoid(a + b); next may be state itself.
int update_gate(CUstream_st* queue, MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> state,
                MatrixView<const float> x, NormParameters norm, MatrixView<float> next);

// attention.cu, attention_float.cu

/// As BackendAttends: softmax(q k^T / sqrt(head_dim)) v for every group and head, online softmax in float. head_dim is
/// at most kMaxHeadDim. Any view may be columns of a wider matrix.
template <class T>
int attention(CUstream_st* queue, AttentionShape shape, MatrixView<const T> q, MatrixView<const T> k,
              MatrixView<const T> v, MatrixView<T> out);

// elements.cu

/// As BackendReadsFrames: `frames` is an array of `count` frames of height x width in memory that the device reads
/// (device or pinned), so that a captured graph may be given other frames by writing there.
template <class T>
int patches(CUstream_st* queue, const DeviceFrame* frames, std::size_t count, std::size_t height, std::size_t width,
            MatrixView<T> out);

/// x's row i = table's row i % table.rows: class token and positions, for every frame of a batch.
int repeat_rows(CUstream_st* queue, MatrixView<const float> table, MatrixView<float> x);

/// y = x rounded to another type: float to T, or T to float.
template <class From, class To>
int convert(CUstream_st* queue, MatrixView<const From> x, MatrixView<To> y);
/// From is float, bfloat16 or float16.
template <class From>
int convert(CUstream_st* queue, MatrixView<const From> x, MatrixView<Float8> y, Float8Scale scale);

/// What a matrix product may have left to do: y += bias, null for none; then y = gelu(y) in the tanh approximation.
template <class T>
int finish_product(CUstream_st* queue, MatrixView<T> y, const T* bias, bool through_gelu);
/// y = gelu(x + bias), bias null for none.
template <class T>
int gelu(CUstream_st* queue, MatrixView<const T> x, const float* bias, MatrixView<Float8> y, Float8Scale scale);

/// *flag = 1 if any number of x is infinite or NaN; else *flag stays as it is. Zero it first.
int find_not_finite(CUstream_st* queue, MatrixView<const float> x, std::uint32_t* flag);

}  // namespace rvm::detail::cuda
