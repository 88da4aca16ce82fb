#pragma once

#include <string>
#include <utility>
#include <vector>

#include <rvm/core/tensor.hpp>
#include <rvm/weights/weights.hpp>

namespace test {

using Arrays = std::vector<std::pair<std::string, rvm::Tensor<float>>>;

/// The weights with one array replaced; an empty tensor of rank 1 removes it.
inline rvm::Weights with(const rvm::Weights& weights, const std::string& changed, const rvm::Tensor<float>& value) {
  Arrays arrays;
  for (const std::string& key : weights.keys()) {
    if (key != changed) arrays.emplace_back(key, weights.at(key).as<float>());
  }
  if (!value.empty()) arrays.emplace_back(changed, value);
  return rvm::Weights::from_tensors("some.npz", std::move(arrays));
}

/// Whether an array belongs to the decoder.
inline bool is_decoder(const std::string& key) {
  return key.starts_with("decoder") || key.starts_with("mask_token") || key.starts_with("delta_embedder") ||
         key.starts_with("detokenizer");
}

}  // namespace test
