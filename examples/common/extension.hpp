#pragma once

#include <filesystem>
#include <string>

namespace rvm::examples {

/// How a file's name ends, in small letters: ".mp4" of CLIP.MP4; empty if it has no such end.
inline std::string extension_of(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

}  // namespace rvm::examples
