#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <rvm/backend/concept.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/model/config.hpp>

namespace rvm::bench {

/// The bare matrix products of one step, in its order and with weights of their own, and nothing between them: the
/// floor under the step on a backend. The products inside attention are not among them.
template <Backend B>
class Products {
 public:
  /// For `rows` tokens in all.
  Products(const typename B::Device& device, const Config& config, std::size_t rows)
      : run_(device), rows_(rows), x_({rows * widest(config)}), y_({rows * widest(config)}) {
    const std::size_t d = config.width;
    add(device, kPatchValues, d);
    for (std::size_t i = 0; i < config.encoder.depth; ++i) {
      add(device, d, 3 * config.encoder.inner());
      add(device, config.encoder.inner(), d);
      add(device, d, config.encoder.mlp);
      add(device, config.encoder.mlp, d);
    }
    add(device, d, 2 * d);
    add(device, d, 2 * d);
    add(device, d, 2 * config.core.depth * config.core.inner());
    for (std::size_t i = 0; i < config.core.depth; ++i) {
      add(device, d, config.core.inner());
      add(device, config.core.inner(), d);
      add(device, d, config.core.mlp);
      add(device, config.core.mlp, d);
      add(device, d, 3 * config.core.inner());
      add(device, config.core.inner(), d);
    }
  }

  void operator()() {
    for (const Product& p : products_) {
      run_.dense(MatrixView<const Element>(x_.data(), rows_, p.in), p.weights,
                 MatrixView<Element>(y_.data(), rows_, p.out), Activation::kNone);
    }
  }

  /// Multiplications and additions.
  double operations() const {
    double sum = 0;
    for (const Product& p : products_) sum += 2.0 * static_cast<double>(rows_ * p.in * p.out);
    return sum;
  }

 private:
  using Element = typename B::Element;
  struct Product {
    std::size_t in;
    std::size_t out;
    typename B::Dense weights;
  };

  static std::size_t widest(const Config& config) {
    return std::max({kPatchValues, 3 * config.encoder.inner(), config.encoder.mlp, config.core.mlp,
                     2 * config.core.depth * config.core.inner()});
  }

  void add(const typename B::Device& device, std::size_t in, std::size_t out) {
    Tensor<float> kernel({in, out});
    for (std::size_t i = 0; i < kernel.size(); ++i) kernel.data()[i] = 0.01F * static_cast<float>(i % 13) - 0.06F;
    products_.push_back({in, out, device.pack(DenseWeights{std::move(kernel), Tensor<float>({out})})});
  }

  typename B::Executor run_;
  std::size_t rows_;
  Tensor<Element> x_;
  Tensor<Element> y_;
  std::vector<Product> products_;
};

}  // namespace rvm::bench
