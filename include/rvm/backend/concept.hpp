#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <rvm/core/matrix.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>

/// What a backend must offer. A backend is a type; its members say who computes and where numbers live:
///
///   B::kName         what a person calls it: "eigen".
///   B::kHostMemory   whether buffers can be read by the host as they are.
///   B::Element       what feeds a matrix product: float, bfloat16, ... Residual stream, norms, gates and state are
///                    always float.
///   B::Options       an aggregate of what a user may choose (threads, device number). Default-constructible.
///   B::Device        built from Options, shared by everything of one model: packs and uploads weights. Its const
///                    functions are safe to call from several threads.
///   B::Dense         one dense layer's packed kernel and bias (several side by side count as one).
///   B::Norm          one layer norm's parameters.
///   B::Buffer<T>     owning memory of the backend; Buffer<T>(device, n), zero at birth; data(), size().
///   B::Executor      built from a Device, one per stream: the operations. Used by one thread at a time.
///
/// A backend on a device of its own may offer more, which a Stream then uses: Pinned<T>, host memory for results;
/// DeviceFrame, frames that lie on the device; and an executor that works later than it is told to (replay, beside and
/// watch in backend/cuda/executor.hpp).
///
/// Every operation works on matrices with one row per token. Sources and destinations do not overlap unless the
/// operation says so. Operations report bad input by exceptions before they write anything, and allocate nothing once
/// they have seen a shape.
namespace rvm {

/// What follows a dense layer.
enum class Activation : std::uint8_t { kNone, kGelu };

/// A dense layer's parameters on the host, for a backend to pack: y = x kernel + bias.
struct DenseWeights {
  Tensor<float> kernel;    // [in, out]
  Tensor<float> bias;      // [out], or empty for none
  bool sensitive = false;  // errors here weigh more than elsewhere: a backend that quantizes had better not
};

/// A layer norm's parameters on the host: y = (x - mean) / sqrt(variance + epsilon) * scale + bias.
struct NormWeights {
  Tensor<float> scale;  // [width]
  Tensor<float> bias;   // [width], or empty for none
  float epsilon = 1e-6F;
};

/// The sizes of one attention: `batch` independent groups of `queries` rows, each attending to its own `keys` rows;
/// columns are heads * head_dim.
struct AttentionShape {
  std::size_t batch = 1;
  std::size_t heads = 1;
  std::size_t head_dim = 1;
  std::size_t queries = 1;
  std::size_t keys = 1;
};

/// The types and constants of a backend.
template <class B>
concept BackendTypes = requires {
  { B::kName } -> std::convertible_to<std::string_view>;
  { B::kHostMemory } -> std::convertible_to<bool>;
  typename B::Element;
  typename B::Options;
  typename B::Device;
  typename B::Dense;
  typename B::Norm;
  typename B::template Buffer<float>;
  typename B::template Buffer<typename B::Element>;
  typename B::Executor;
}
&&std::default_initializable<typename B::Options>&& std::constructible_from<typename B::Device, typename B::Options>;

/// Weights go from the host into the backend's own order, once, when a model is built.
template <class B>
concept BackendPacks = requires(const typename B::Device& device, DenseWeights dense, NormWeights norm,
                                std::span<const float> values) {
  { device.pack(std::move(dense)) } -> std::same_as<typename B::Dense>;
  { device.pack(std::move(norm)) } -> std::same_as<typename B::Norm>;
  { device.upload(values) } -> std::same_as<typename B::template Buffer<float>>;
};

/// Memory, and moving floats between the host and it.
///   write(values, to)     host -> buffer
///   read(from, values)    buffer -> host; done when it returns
///   copy(from, to, n)     buffer -> buffer
///   zero(to, n)
///   finite(from, n)       whether none of n floats is a NaN or an infinity, whatever the compiler thinks of those
template <class B>
concept BackendMoves = requires(typename B::Executor& run, typename B::template Buffer<float>& buffer,
                                std::span<const float> source, std::span<float> destination) {
  { buffer.data() } -> std::same_as<float*>;
  { buffer.size() } -> std::convertible_to<std::size_t>;
  run.write(source, buffer.data());
  run.read(buffer.data(), destination);
  run.copy(buffer.data(), buffer.data(), std::size_t{});
  run.zero(buffer.data(), std::size_t{});
  { run.finite(std::as_const(buffer).data(), std::size_t{}) } -> std::same_as<bool>;
};

/// patches(frames, out): every frame, in [0, 1], cut into 16x16 patches. out is [frames * (1 + h * w), 768], a row
/// (16 row, 16 column, 3 channel) per patch in row-major order of the grid, after one row of zeros for the class token.
template <class B>
concept BackendReadsFrames = requires(typename B::Executor& run, std::span<const FrameView> frames,
                                      MatrixView<typename B::Element> out) {
  run.patches(frames, out);
};

/// dense(x, w, y, activation)  y = activation(x w + bias), for further products
/// dense(x, w, y)              y = x w + bias, in float
/// dense_add(x, w, y)          y += x w + bias, y the residual stream in float
template <class B>
concept BackendMultiplies = requires(typename B::Executor& run, MatrixView<const typename B::Element> x,
                                     const typename B::Dense& w, MatrixView<typename B::Element> operand,
                                     MatrixView<float> wide) {
  run.dense(x, w, operand, Activation::kGelu);
  run.dense(x, w, wide);
  run.dense_add(x, w, wide);
};

/// layer_norm(x, norm, y)   y in float (may be x itself) or in Element
/// convert(x, y)            float -> Element
template <class B>
concept BackendNormalizes = requires(typename B::Executor& run, MatrixView<const float> x, const typename B::Norm& norm,
                                     MatrixView<typename B::Element> operand, MatrixView<float> wide) {
  run.layer_norm(x, norm, operand);
  run.layer_norm(x, norm, wide);
  run.convert(x, operand);
};

/// attention(shape, q, k, v, out): softmax(q k^T / sqrt(head_dim)) v for every group and head, softmax in float.
/// q and out are [batch * queries, heads * head_dim], k and v [batch * keys, heads * head_dim].
template <class B>
concept BackendAttends = requires(typename B::Executor& run, AttentionShape shape,
                                  MatrixView<const typename B::Element> operand, MatrixView<typename B::Element> out) {
  run.attention(shape, operand, operand, operand, out);
};

/// The two gates of the recurrent core, a and b being the input's and the state's part before the sigmoid:
/// reset_gate(a, b, state, norm, out)       out = sigmoid(a + b) * norm(state)
/// update_gate(a, b, state, x, norm, next)  next = (1 - u) * state + u * norm(x), u = sigmoid(a + b)
template <class B>
concept BackendGates = requires(typename B::Executor& run, MatrixView<const float> in, const typename B::Norm& norm,
                                MatrixView<typename B::Element> operand, MatrixView<float> wide) {
  run.reset_gate(in, in, in, norm, operand);
  run.update_gate(in, in, in, in, norm, wide);
};

/// All of the above. A type that lacks something is refused with the name of the part that it lacks.
template <class B>
concept Backend = BackendTypes<B> && BackendPacks<B> && BackendMoves<B> && BackendReadsFrames<B> &&
    BackendMultiplies<B> && BackendNormalizes<B> && BackendAttends<B> && BackendGates<B>;

}  // namespace rvm
