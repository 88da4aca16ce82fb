#pragma once

#include <filesystem>
#include <string>

#include <rvm/core/tensor.hpp>

namespace rvm::examples {

/// The array of real numbers that a MATLAB file (.mat, version 5 or 7) holds under a name, whatever type it has there.
/// MATLAB's first axis is the fastest, so the axes come in reverse: what is [2, 15, T] in MATLAB is [T, 15, 2] here.
/// Throws rvm::IoError if the file cannot be read, is damaged or has no such array, or saying that the program was
/// built without matio.
Tensor<double> read_mat_array(const std::filesystem::path& path, const std::string& name);

}  // namespace rvm::examples
