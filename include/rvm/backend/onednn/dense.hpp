#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/onednn/library.hpp>
#include <rvm/core/detail/partition.hpp>

namespace rvm::detail {

/// A dense layer's kernel, cut into blocks of columns and packed as oneDNN wants each: a block is what one thread
/// computes at a time. `Weight` is the type that the packed numbers have. Immutable; shared by all streams of a model.
template <class Weight>
class PackedDense {
 public:
  struct Block {
    std::size_t first = 0;  // column
    std::size_t cols = 0;
    dnnl::memory kernel;  // [in, cols]
    dnnl::memory bias;    // [1, cols], if there is one
  };

  /// Packs for `threads` threads. Throws dnnl::error or std::bad_alloc.
  PackedDense(const dnnl::engine& engine, const DenseWeights& weights, std::size_t threads)
      : in_(weights.kernel.shape()[0]), out_(weights.kernel.shape()[1]), bias_(weights.bias) {
    constexpr std::size_t kGrain = 64;
    const Partition parts(out_, (out_ + threads - 1) / threads, kGrain);
    const OneThread one_thread;
    dnnl::stream stream(engine);
    blocks_.reserve(parts.count());
    for (std::size_t i = 0; i < parts.count(); ++i) {
      Block block{parts.first(i), parts.length(i), {}, {}};
      // A step of one frame has a few hundred rows; the layout that is best for them serves any number.
      constexpr std::size_t kTypicalRows = 256;
      const ProductShape shape{kTypicalRows, in_, block.cols, in_, out_, false, false};
      const dnnl::memory::desc any({onednn_dim(in_), onednn_dim(block.cols)}, kOneDnnType<Weight>,
                                   dnnl::memory::format_tag::any);
      const auto product = onednn_product(engine, shape, kOneDnnType<Weight>, dnnl::memory::data_type::f32, any);
      block.kernel = dnnl::memory(product.weights_desc(), engine);
      const dnnl::memory plain(onednn_matrix(in_, block.cols, out_, dnnl::memory::data_type::f32), engine,
                               const_cast<float*>(weights.kernel.data() + block.first));
      dnnl::reorder(plain, block.kernel).execute(stream, const_cast<dnnl::memory&>(plain), block.kernel);
      if (!bias_.empty()) {
        block.bias = dnnl::memory(onednn_matrix(1, block.cols, block.cols, dnnl::memory::data_type::f32), engine,
                                  bias_.data() + block.first);
      }
      blocks_.push_back(std::move(block));
    }
    stream.wait();
  }

  std::size_t in() const noexcept { return in_; }
  std::size_t out() const noexcept { return out_; }
  const std::vector<Block>& blocks() const noexcept { return blocks_; }
  /// [out], or null.
  const float* bias() const noexcept { return bias_.empty() ? nullptr : bias_.data(); }

 private:
  std::size_t in_;
  std::size_t out_;
  Tensor<float> bias_;
  std::vector<Block> blocks_;
};

}  // namespace rvm::detail
