#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <rvm/core/detail/text.hpp>

#ifndef __cpp_exceptions
#error "rvm reports errors as exceptions: compile without -fno-exceptions (-fno-rtti is fine)"
#endif

namespace rvm {

/// Base of everything that this library throws on purpose. what() is one line that a user can act on.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An argument that a function cannot take: a shape, a size, a range.
class ArgumentError : public Error {
  using Error::Error;
};

/// A file that cannot be opened, read or written. The message names the path and the system's reason.
class IoError : public Error {
  using Error::Error;
};

/// A weight file or one of its arrays is not what the model needs. what() reads
/// "FILE: KEY: expected EXPECTED, found FOUND", in which what comes from the file is shortened and made printable; the
/// parts are kept for programs as they are. Parts that do not apply are empty.
class WeightsError : public Error {
 public:
  WeightsError(std::string file, std::string key, std::string expected, std::string found)
      : Error(detail::text(file, ": ", detail::printable(key), key.empty() ? "" : ": ", "expected ",
                           detail::printable(expected), ", found ", detail::printable(found))),
        file_(std::move(file)),
        key_(std::move(key)),
        expected_(std::move(expected)),
        found_(std::move(found)) {}

  const std::string& file() const noexcept { return file_; }
  const std::string& key() const noexcept { return key_; }
  const std::string& expected() const noexcept { return expected_; }
  const std::string& found() const noexcept { return found_; }

 private:
  std::string file_;
  std::string key_;
  std::string expected_;
  std::string found_;
};

/// A frame that the stream cannot take: a size that is not the stream's or not a multiple of the patch, a null pointer.
class FrameError : public Error {
  using Error::Error;
};

/// A step that would have left a NaN or an infinity in a stream's state.
class NonFiniteError : public Error {
  using Error::Error;
};

/// Saved state that cannot be restored here: damaged, of another version, of another model or another frame size, or
/// with a NaN or an infinity in it.
class StateError : public Error {
  using Error::Error;
};

}  // namespace rvm
