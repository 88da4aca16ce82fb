#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace rvm::detail {

/// Processors' worth of time that one control group may take; none if it has no limit or is not there. `group` is its
/// directory, of version 2 (cpu.max) or 1 (cpu.cfs_quota_us, cpu.cfs_period_us).
inline std::optional<double> group_quota(const std::filesystem::path& group) {
  double quota = 0;
  double period = 0;
  std::ifstream both(group / "cpu.max");
  if (!(both >> quota >> period)) {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0 && period > 0)) return std::nullopt;
  return quota / period;
}

/// The least that this process's control group and those above it may take; none if there is no limit. `groups` is a
/// text such as /proc/self/cgroup, `root` where control groups are mounted.
inline std::optional<double> processor_quota(const std::filesystem::path& groups = "/proc/self/cgroup",
                                             const std::filesystem::path& root = "/sys/fs/cgroup") {
  std::optional<double> least;
  std::ifstream text(groups);
  for (std::string line; std::getline(text, line);) {  // NUMBER:CONTROLLERS:PATH
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    if (controllers != ",," && controllers.find(",cpu,") == std::string::npos) continue;
    const std::filesystem::path top = controllers == ",," ? root : root / "cpu";
    // A container may see its own group as the top, by whatever name the host calls it.
    std::filesystem::path group = line.substr(second + 1);
    for (;;) {
      const std::optional<double> quota = group_quota(top / group.relative_path());
      if (quota && (!least || *quota < *least)) least = quota;
      if (!group.has_relative_path()) break;
      group = group.parent_path();
    }
  }
  return least;
}

/// Processors that the calling thread, and those that it starts, may use: those that it is bound to, and no more than
/// its control group's quota, rounded up. At least 1.
inline std::size_t usable_processors() {
  std::size_t count = std::thread::hardware_concurrency();
#if defined(__linux__)
  cpu_set_t bound;
  if (::sched_getaffinity(0, sizeof(bound), &bound) == 0) count = static_cast<std::size_t>(CPU_COUNT(&bound));
  if (const auto quota = processor_quota()) count = std::min(count, static_cast<std::size_t>(std::ceil(*quota)));
#endif
  return std::max<std::size_t>(count, 1);
}

}  // namespace rvm::detail
