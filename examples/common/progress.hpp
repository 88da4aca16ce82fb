#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace rvm::examples {

/// Progress over frames on standard error: a bar that is redrawn on a terminal, a plain line every few seconds
/// elsewhere.
class Progress {
 public:
  /// `total` frames, if known; it may turn out wrong.
  explicit Progress(std::optional<std::size_t> total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// As finish(), so that an error message starts on a clean line.
  ~Progress() { finish(); }

  /// One more frame is done.
  void advance();
  /// Clears the bar.
  void finish();

  std::size_t done() const noexcept { return done_; }
  /// Frames per second since the start.
  double rate() const;

 private:
  using Clock = std::chrono::steady_clock;

  std::string text() const;

  std::optional<std::size_t> total_;
  bool terminal_;
  bool drawn_ = false;
  std::size_t done_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_ = start_;
};

}  // namespace rvm::examples
