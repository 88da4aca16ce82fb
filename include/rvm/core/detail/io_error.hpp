#pragma once

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include <rvm/core/error.hpp>

namespace rvm::detail {

/// "PATH: cannot WHAT: REASON", REASON being the system's words for `code`.
inline IoError io_error(const std::filesystem::path& path, const std::string& what, int code = errno) {
  return IoError(path.string() + ": cannot " + what + ": " + std::generic_category().message(code));
}

}  // namespace rvm::detail
