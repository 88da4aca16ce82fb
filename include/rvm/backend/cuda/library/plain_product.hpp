#pragma once

#include <cstddef>

#include <rvm/backend/cuda/runtime.hpp>

/// Products and their ends as plain kernels: for sizes and addresses that cuBLASLt does not take, for what it cannot
/// fuse, and to compare its answers with. Launchers give CUDA's error.
namespace rvm::detail::cuda {

/// The whole product.
int launch_plain(Queue queue, const Product& p);
/// What a product may have left to do: y + bias, then GELU.
int launch_finish(Queue queue, const Product& p, bool bias, bool gelu);
/// Numbers without structure in [-scale, scale).
int launch_fill(Queue queue, Type type, void* to, std::size_t n, float scale, unsigned seed);
/// *far = 1 if a number of p.y is further from its place in `expected`, whose rows have no gaps, than relative * |it| +
/// absolute.
int launch_compare(Queue queue, const Product& p, const void* expected, float relative, float absolute, unsigned* far);

}  // namespace rvm::detail::cuda
