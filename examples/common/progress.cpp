#include "common/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace rvm::examples {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLine{5};

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// "1:02:03", or "2:03" under an hour.
std::string duration(double seconds) {
  const long whole = std::lround(std::min(seconds, 1e8));
  const long hours = whole / 3600;
  const long minutes = whole / 60 % 60;
  char text[32];
  if (hours > 0) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", hours, minutes, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", minutes, whole % 60);
  }
  return text;
}

std::string bar(std::size_t done, std::size_t total) {
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = kWidth * done / total;
  std::string text = "[";
  return text.append(filled, '#').append(kWidth - filled, '.').append("] ");
}

}  // namespace

Progress::Progress(std::optional<std::size_t> total) : total_(total), terminal_(::isatty(STDERR_FILENO) != 0) {}

void Progress::advance() {
  ++done_;
  const Clock::time_point now = Clock::now();
  if (now - shown_ < (terminal_ ? Clock::duration(kRedraw) : Clock::duration(kLine))) return;
  shown_ = now;
  std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", text().c_str());
  drawn_ = terminal_;
}

void Progress::finish() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

double Progress::rate() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  return seconds > 0.0 ? static_cast<double>(done_) / seconds : 0.0;
}

std::string Progress::text() const {
  const std::string speed = fixed(rate()) + " frames/s";
  if (!total_ || *total_ < done_) return std::to_string(done_) + " frames, " + speed;
  const std::string frames = std::to_string(done_) + "/" + std::to_string(*total_) + " frames, ";
  const std::string left = duration(static_cast<double>(*total_ - done_) / std::max(rate(), 1e-9)) + " left";
  return (terminal_ ? bar(done_, *total_) : "") + std::to_string(100 * done_ / *total_) + "%, " + frames + speed +
         ", " + left;
}

}  // namespace rvm::examples
