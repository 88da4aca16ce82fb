#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cuda/executor.hpp>
#include <rvm/backend/cuda/memory.hpp>
#include <rvm/backend/cuda/operations.hpp>
#include <rvm/core/detail/float_environment.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/tensor.hpp>

namespace rvm {

/// The backend for NVIDIA's GPUs (compute capability 8.0 and later): matrix products by cuBLASLt, everything else by
/// kernels of our own, a step as one graph. T is what products read:
///
///   float     true float, not TF32
///   bfloat16, float16
///             the residual stream, norms, softmax, gates and state stay float. A bias is rounded to T where what it is
///             added to becomes a T; GELU is good to 5e-4 in bfloat16
///
/// Needs the library rvm::cuda, which nvcc compiles; a program that uses it is compiled by any compiler, without CUDA's
/// headers. Errors are CudaError, which names CUDA's error and the operation, or CudaBadAlloc; what fails later than
/// the call that asked for it is reported by the next that waits. After the loss of a device every call gives one same
/// error.
template <class T = float>
struct Cuda {
  static_assert(std::same_as<T, float> || std::same_as<T, bfloat16> || std::same_as<T, float16>,
                "Cuda computes in float, bfloat16 or float16");

  static constexpr std::string_view kName = "cuda";
  static constexpr bool kHostMemory = false;

  using Element = T;
  template <class U>
  using Buffer = CudaBuffer<U>;
  /// Host memory that results are copied to.
  template <class U>
  using Pinned = CudaPinned<U>;
  /// Frames that need not be copied.
  using DeviceFrame = DeviceFrameView;

  struct Options {
    /// CUDA's number of the device. A call from a thread that has not chosen one leaves an unused context on device 0;
    /// CUDA_VISIBLE_DEVICES can hide that device.
    int device = 0;
    /// A cudaStream_t in which all streams of the model compute; if null, each has one of its own. Not
    /// cudaStreamLegacy, of which CUDA makes no graphs.
    CUstream_st* queue = nullptr;
    /// Products are computed by the algorithm that is fastest for their shape on this device, found when a shape is
    /// first seen. Without it the library's first proposal is taken: slower, but the same in every run of a program, so
    /// that features are too.
    bool measure = true;
  };

  /// A dense layer's packed kernel [out, in] and bias.
  struct Dense {
    std::size_t in = 0;
    std::size_t out = 0;
    CudaBuffer<T> kernel;
    CudaBuffer<float> bias;
    CudaBuffer<T> narrow_bias;  // for results in T, unless that is float
  };

  struct Norm {
    CudaBuffer<float> scale;
    CudaBuffer<float> bias;
    float epsilon = 0;

    detail::cuda::NormParameters parameters() const noexcept { return {scale.data(), bias.data(), epsilon}; }
  };

  /// Safe to use from several threads.
  class Device {
   public:
    /// Throws CudaError, or ArgumentError if there is no such device or its compute capability is below 8.0.
    explicit Device(const Options& options)
        : context_(std::make_shared<const detail::cuda::Context>(options.device, options.measure)),
          queue_(options.queue) {}

    /// Throws CudaBadAlloc or CudaError.
    Dense pack(const DenseWeights& weights) const {
      const std::size_t in = weights.kernel.shape()[0];
      const std::size_t out = weights.kernel.shape()[1];
      Dense dense{in, out, CudaBuffer<T>(context_, transposed(weights.kernel).span()), upload(weights.bias.span()), {}};
      if constexpr (!std::same_as<T, float>) {
        Tensor<T> narrow(weights.bias.shape());
        std::transform(weights.bias.begin(), weights.bias.end(), narrow.begin(), [](float v) { return T(v); });
        dense.narrow_bias = CudaBuffer<T>(context_, std::as_const(narrow).span());
      }
      return dense;
    }
    Norm pack(const NormWeights& weights) const {
      return {upload(weights.scale.span()), upload(weights.bias.span()), weights.epsilon};
    }
    Buffer<float> upload(std::span<const float> values) const { return {context_, values}; }

    /// The device in a line for the user.
    std::string description() const {
      const auto& p = context_->properties();
      return std::string(p.name) + ", compute capability " + std::to_string(p.major) + "." + std::to_string(p.minor);
    }

    const detail::cuda::ContextHandle& context() const noexcept { return context_; }
    CUstream_st* queue() const noexcept { return queue_; }

   private:
    // [in, out] -> [out, in], a square at a time.
    static Tensor<T> transposed(const Tensor<float>& kernel) {
      constexpr std::size_t kSide = 32;
      const std::size_t in = kernel.shape()[0];
      const std::size_t out = kernel.shape()[1];
      Tensor<T> turned({out, in});
      for (std::size_t i = 0; i < in; i += kSide) {
        for (std::size_t j = 0; j < out; j += kSide) {
          for (std::size_t a = i; a < std::min(in, i + kSide); ++a) {
            for (std::size_t b = j; b < std::min(out, j + kSide); ++b) {
              turned.data()[b * in + a] = T(kernel.data()[a * out + b]);
            }
          }
        }
      }
      return turned;
    }

    detail::cuda::ContextHandle context_;
    CUstream_st* queue_;
  };

  class Executor;
};

/// The operations of concept.hpp.
template <class T>
class Cuda<T>::Executor : public detail::cuda::CudaExecutor {
 public:
  explicit Executor(const Device& device) : Executor(device, device.queue()) {}
  /// In the user's own queue, a cudaStream_t but not cudaStreamLegacy, which must outlive this; null makes one.
  Executor(const Device& device, CUstream_st* queue) : CudaExecutor(device.context(), queue) {}

  /// Frame is FrameView or DeviceFrameView.
  template <class Frame>
  void patches(std::span<const Frame> frames, MatrixView<T> out) {
    const detail::cuda::OnDevice here(context());
    const detail::cuda::DeviceFrame* const placed = on_device(frames);
    check(detail::cuda::patches<T>(queue_now(), placed, frames.size(), frames[0].height(), frames[0].width(), out),
          "cutting frames into patches");
  }
  void patches(std::span<const FrameView> frames, MatrixView<T> out) { patches<FrameView>(frames, out); }

  void dense(MatrixView<const T> x, const Dense& w, MatrixView<T> y, Activation activation = Activation::kNone) {
    const void* const bias = std::same_as<T, float> ? static_cast<const void*>(w.bias.data()) : w.narrow_bias.data();
    multiply(x, w, y, bias, activation == Activation::kGelu, false);
  }
  void dense(MatrixView<const T> x, const Dense& w, MatrixView<float> y) requires(!std::same_as<T, float>) {
    multiply(x, w, y, w.bias.data(), false, false);
  }
  void dense_add(MatrixView<const T> x, const Dense& w, MatrixView<float> y) {
    multiply(x, w, y, w.bias.data(), false, true);
  }

  template <class Out>
  void layer_norm(MatrixView<const float> x, const Norm& norm, MatrixView<Out> y) {
    const detail::cuda::OnDevice here(context());
    check(detail::cuda::layer_norm<Out>(queue_now(), x, norm.parameters(), y), "layer norm");
  }
  void convert(MatrixView<const float> x, MatrixView<T> y) {
    const detail::cuda::OnDevice here(context());
    if constexpr (std::same_as<T, float>) {
      check(detail::cuda::repeat_rows(queue_now(), x, y), "copying");
    } else {
      check(detail::cuda::convert<float, T>(queue_now(), x, y), "converting");
    }
  }
  /// x's row i = table's row i modulo its rows.
  void repeat(MatrixView<const float> table, MatrixView<float> x) {
    const detail::cuda::OnDevice here(context());
    check(detail::cuda::repeat_rows(queue_now(), table, x), "placing tokens");
  }

  /// Throws ArgumentError if heads are wider than 128.
  void attention(const AttentionShape& shape, MatrixView<const T> q, MatrixView<const T> k, MatrixView<const T> v,
                 MatrixView<T> out) {
    if (shape.head_dim > detail::cuda::kMaxHeadDim) {
      throw ArgumentError("Cuda attends with heads of at most " + std::to_string(detail::cuda::kMaxHeadDim) +
                          " columns, found " + std::to_string(shape.head_dim));
    }
    const detail::FloatEnvironment environment;  // the host computes what scores are scaled by
    const detail::cuda::OnDevice here(context());
    check(detail::cuda::attention<T>(queue_now(), shape, q, k, v, out), "attention");
  }

  void reset_gate(MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> state, const Norm& norm,
                  MatrixView<T> out) {
    const detail::cuda::OnDevice here(context());
    check(detail::cuda::reset_gate<T>(queue_now(), a, b, state, norm.parameters(), out), "the reset gate");
  }
  void update_gate(MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> state,
                   MatrixView<const float> x, const Norm& norm, MatrixView<float> next) {
    const detail::cuda::OnDevice here(context());
    check(detail::cuda::update_gate(queue_now(), a, b, state, x, norm.parameters(), next), "the update gate");
  }

 private:
  template <class U>
  static constexpr detail::cuda::Type kType = std::same_as<U, float>      ? detail::cuda::Type::kFloat32
                                              : std::same_as<U, bfloat16> ? detail::cuda::Type::kBfloat16
                                                                          : detail::cuda::Type::kFloat16;

  void check(int error, const char* operation) const { context().check(error, operation); }
  detail::cuda::Queue queue_now() noexcept { return lane().queue.get(); }

  template <class Out>
  void multiply(MatrixView<const T> x, const Dense& w, MatrixView<Out> y, const void* bias, bool gelu,
                bool accumulate) {
    const detail::cuda::OnDevice here(context());
    detail::cuda::Product product{x.rows, w.in, w.out, kType<T>, kType<Out>, gelu, accumulate};
    product.x = x.data;
    product.x_stride = x.stride;
    product.w = w.kernel.data();
    product.bias = bias;
    product.y = y.data;
    product.y_stride = y.stride;
    if (!capturing())
      check(detail::cuda::prepare(context().products(), queues(), product), "choosing a matrix product");
    check(detail::cuda::multiply(context().products(), queue_now(), lane().scratch.data(), product),
          "a matrix product");
  }
};

static_assert(Backend<Cuda<float>>);
static_assert(Backend<Cuda<bfloat16>>);
static_assert(Backend<Cuda<float16>>);

}  // namespace rvm
