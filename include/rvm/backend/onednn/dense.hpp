#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/byte_weights.hpp>
#include <rvm/backend/onednn/library.hpp>
#include <rvm/backend/onednn/products.hpp>
#include <rvm/core/detail/partition.hpp>

namespace rvm::detail {

/// A dense layer's kernel, cut into blocks of columns and packed as oneDNN wants each. `Weight` is the type of the
/// packed numbers: float, bfloat16, or std::int8_t with a scale for every column. Immutable; shared by all streams of a
/// model.
template <class Weight>
class PackedDense {
 public:
  static constexpr bool kQuantized = std::is_same_v<Weight, std::int8_t>;

  /// Packs for `threads` threads. Throws dnnl::error or std::bad_alloc.
  PackedDense(const dnnl::engine& engine, const DenseWeights& weights, std::size_t threads)
      : in_(weights.kernel.shape()[0]), out_(weights.kernel.shape()[1]), bias_(weights.bias) {
    constexpr std::size_t kGrain = 64;
    const Partition parts(out_, (out_ + threads - 1) / threads, kGrain);
    const OneThread one_thread;
    dnnl::stream stream(engine);
    const Tensor<std::int8_t> quantized = kQuantized ? quantize(weights.kernel) : Tensor<std::int8_t>();
    blocks_.reserve(parts.count());
    for (std::size_t i = 0; i < parts.count(); ++i) {
      OneDnnBlock block{parts.first(i), parts.length(i), {}, {}};
      // A step of one frame has a few hundred rows; the layout that is best for them serves any number.
      constexpr std::size_t kTypicalRows = 256;
      const ProductShape shape{kTypicalRows, in_, block.cols, in_, out_, false, false};
      const dnnl::memory::desc any({onednn_dim(in_), onednn_dim(block.cols)}, kOneDnnType<Weight>,
                                   dnnl::memory::format_tag::any);
      const auto product =
          kQuantized ? onednn_product(engine, shape, dnnl::memory::data_type::u8, dnnl::memory::data_type::s32, any)
                     : onednn_product(engine, shape, kOneDnnType<Weight>, dnnl::memory::data_type::f32, any);
      block.kernel = dnnl::memory(product.weights_desc(), engine);
      const void* const source = kQuantized ? static_cast<const void*>(quantized.data() + block.first)
                                            : static_cast<const void*>(weights.kernel.data() + block.first);
      const auto source_type = kQuantized ? dnnl::memory::data_type::s8 : dnnl::memory::data_type::f32;
      dnnl::memory plain(onednn_matrix(in_, block.cols, out_, source_type), engine, const_cast<void*>(source));
      dnnl::reorder(plain, block.kernel).execute(stream, plain, block.kernel);
      if (!bias_.empty()) {
        block.bias = dnnl::memory(onednn_matrix(1, block.cols, block.cols, dnnl::memory::data_type::f32), engine,
                                  bias_.data() + block.first);
      }
      blocks_.push_back(std::move(block));
    }
    stream.wait();
  }
  // The blocks point into it, and products are told apart by its address.
  PackedDense(const PackedDense&) = delete;
  PackedDense& operator=(const PackedDense&) = delete;
  ~PackedDense() = default;

  std::size_t in() const noexcept { return in_; }
  std::size_t out() const noexcept { return out_; }
  const std::vector<OneDnnBlock>& blocks() const noexcept { return blocks_; }
  /// [out], or null.
  const float* bias() const noexcept { return bias_.empty() ? nullptr : bias_.data(); }
  /// Of quantized weights, [out]: the scale of each column, and the sum of its bytes.
  const float* scales() const noexcept { return scales_.data(); }
  const std::int32_t* sums() const noexcept { return sums_.data(); }

 private:
  Tensor<std::int8_t> quantize(const Tensor<float>& kernel) {
    scales_ = Tensor<float>({out_});
    sums_ = Tensor<std::int32_t>({out_});
    find_column_scales(kernel, 0, out_, scales_.data());
    Tensor<std::int8_t> quantized(kernel.shape());
    for (std::size_t i = 0; i < in_; ++i) {
      for (std::size_t j = 0; j < out_; ++j) {
        quantized(i, j) = byte_weight(kernel(i, j), scales_(j));
        sums_(j) += quantized(i, j);
      }
    }
    return quantized;
  }

  std::size_t in_;
  std::size_t out_;
  Tensor<float> bias_;
  Tensor<float> scales_;
  Tensor<std::int32_t> sums_;
  std::vector<OneDnnBlock> blocks_;
};

}  // namespace rvm::detail
