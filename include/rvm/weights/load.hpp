#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/file_bytes.hpp>
#include <rvm/weights/npz.hpp>
#include <rvm/weights/safetensors.hpp>
#include <rvm/weights/weights.hpp>

namespace rvm {

namespace detail {

inline Weights load_weights(const FileBytes& file, const std::string& name) {
  const std::string_view text = as_text(file.bytes());
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) {
    return Weights(std::make_shared<NpzStore>(name, file));
  }
  if (text.size() > kSafetensorsPrefix && text[kSafetensorsPrefix] == '{') {
    return Weights(std::make_shared<SafetensorsStore>(name, file));
  }
  throw WeightsError(name, {}, "a .npz or safetensors file",
                     text.empty() ? "an empty file" : "a file that begins otherwise");
}

}  // namespace detail

/// Opens a weight file of any format that this library reads (.npz, safetensors), told by its contents, not its name.
/// What such a file may hold at most is in limits.hpp. Throws IoError if the file cannot be read, WeightsError if the
/// format is another or the file is damaged.
inline Weights load_weights(const std::filesystem::path& path) {
  return detail::load_weights(detail::FileBytes(path), path.string());
}

/// The same of a file's contents in memory, which `name` stands for in messages. Throws WeightsError.
inline Weights load_weights(std::vector<std::byte> file, const std::string& name) {
  return detail::load_weights(detail::FileBytes(std::move(file)), name);
}

}  // namespace rvm
