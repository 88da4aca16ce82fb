#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/npz.hpp>
#include <rvm/weights/safetensors.hpp>
#include <rvm/weights/weights.hpp>

namespace rvm {

/// Opens a weight file of any format that this library reads (.npz, safetensors), told by its contents, not its name.
/// Throws IoError if the file cannot be read, WeightsError if the format is another or the file is damaged.
inline Weights load_weights(const std::filesystem::path& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const std::string_view text = detail::as_text(file->bytes());
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) {
    return Weights(std::make_shared<detail::NpzStore>(path.string(), std::move(file)));
  }
  if (text.size() > detail::kSafetensorsPrefix && text[detail::kSafetensorsPrefix] == '{') {
    return Weights(std::make_shared<detail::SafetensorsStore>(path.string(), std::move(file)));
  }
  throw WeightsError(path.string(), {}, "a .npz or safetensors file",
                     text.empty() ? "an empty file" : "a file that begins otherwise");
}

}  // namespace rvm
