#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include <rvm/backend/onednn/library.hpp>

namespace rvm::detail {

/// Columns of a dense layer as one thread computes them at a time.
struct OneDnnBlock {
  std::size_t first = 0;  // column
  std::size_t cols = 0;
  dnnl::memory kernel;  // [in, cols], packed as oneDNN wants it
  dnnl::memory bias;    // [1, cols], if there is one
};

/// The primitives of one stream, made the first time that a product is asked for. Used by one thread at a time, but
/// for run().
class OneDnnProducts {
 public:
  /// One primitive for each block of columns, and the memory objects that it works on.
  struct Product {
    struct Place {
      dnnl::memory x;
      dnnl::memory y;
      dnnl::memory scratchpad;
    };
    const void* weights = nullptr;  // tells layers apart
    ProductShape shape;             // its columns aside
    dnnl::memory::data_type y_type = dnnl::memory::data_type::undef;
    std::vector<dnnl::matmul> primitives;
    std::vector<Place> places;
  };

  explicit OneDnnProducts(const dnnl::engine& engine) : engine_(engine) {}

  /// The product with the blocks' weights; the columns of `shape` do not count. The weights must outlive this object.
  /// Throws std::bad_alloc or Error.
  const Product& prepare(const std::vector<OneDnnBlock>& blocks, ProductShape shape, dnnl::memory::data_type x_type,
                         dnnl::memory::data_type y_type) {
    shape.cols = 0;
    for (const Product& known : products_) {
      if (known.weights == &blocks && known.y_type == y_type && known.shape == shape) return known;
    }
    const OneThread one_thread;
    return with_onednn([&]() -> const Product& {
      Product product{&blocks, shape, y_type, {}, {}};
      for (const OneDnnBlock& block : blocks) {
        shape.cols = block.cols;
        const auto description = onednn_product(engine_, shape, x_type, y_type, block.kernel.get_desc());
        product.primitives.emplace_back(description);
        product.places.push_back({dnnl::memory(description.src_desc(), engine_, nullptr),
                                  dnnl::memory(description.dst_desc(), engine_, nullptr),
                                  dnnl::memory(description.scratchpad_desc(), engine_)});
      }
      while (streams_.size() < blocks.size()) streams_.emplace_back(engine_);
      products_.push_back(std::move(product));
      return products_.back();
    });
  }

  /// Computes one block on the calling thread: x is the whole source, y the block's first column. Different blocks may
  /// run at the same time. Returns what oneDNN says; y is then undefined if that is not success.
  dnnl_status_t run(const Product& product, std::size_t index, const OneDnnBlock& block, const void* x,
                    void* y) const noexcept {
    const OneThread one_thread;
    const Product::Place& place = product.places[index];
    set_data(place.x, x);
    set_data(place.y, y);
    const bool biased = product.shape.biased;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, place.x.get()},
                                         {DNNL_ARG_WEIGHTS, block.kernel.get()},
                                         {DNNL_ARG_DST, place.y.get()},
                                         {DNNL_ARG_SCRATCHPAD, place.scratchpad.get()},
                                         {DNNL_ARG_BIAS, biased ? block.bias.get() : nullptr}};
    try {  // it makes a table of the arguments, and lets std::bad_alloc through
      return dnnl_primitive_execute(product.primitives[index].get(), streams_[index].get(), biased ? 5 : 4, arguments);
    } catch (...) {
      return dnnl_out_of_memory;
    }
  }

 private:
  dnnl::engine engine_;
  std::vector<dnnl::stream> streams_;  // one for every block that may run at the same time
  std::deque<Product> products_;
};

}  // namespace rvm::detail
