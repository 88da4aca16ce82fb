#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <rvm/core/detail/processors.hpp>
#include <rvm/core/thread_team.hpp>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

}  // namespace

TEST_CASE("a control group's quota is the least of its own and those above it") {
  const test::TempDir directory;
  const fs::path groups = directory.path() / "cgroup";
  const fs::path root = directory.path() / "mounted";
  const auto quota = [&] { return rvm::detail::processor_quota(groups, root); };
  write(groups, "0::/robot/camera\n");
  CHECK_FALSE(quota());
  write(root / "robot/camera/cpu.max", "max 100000\n");
  CHECK_FALSE(quota());
  write(root / "robot/cpu.max", "250000 100000\n");
  CHECK(quota() == 2.5);
  write(root / "robot/camera/cpu.max", "300000 100000\n");
  CHECK(quota() == 2.5);
  write(root / "cpu.max", "50000 100000\n");
  CHECK(quota() == 0.5);
}

TEST_CASE("a control group of the first version has its quota in two files") {
  const test::TempDir directory;
  const fs::path groups = directory.path() / "cgroup";
  const fs::path root = directory.path() / "mounted";
  const auto quota = [&] { return rvm::detail::processor_quota(groups, root); };
  write(groups, "4:memory:/robot\n3:cpuset:/\n1:cpuacct,cpu:/docker/of/the/host\n0::/\n");
  write(root / "cpu/cpu.cfs_quota_us", "-1\n");
  write(root / "cpu/cpu.cfs_period_us", "100000\n");
  CHECK_FALSE(quota());
  write(root / "cpu/cpu.cfs_quota_us", "150000\n");
  CHECK(quota() == 1.5);
}

TEST_CASE("what is no list of control groups is no limit") {
  const test::TempDir directory;
  const fs::path groups = directory.path() / "cgroup";
  CHECK_FALSE(rvm::detail::processor_quota(groups, directory.path()));
  write(groups, "nothing\n\n:\n::\n");
  CHECK_FALSE(rvm::detail::processor_quota(groups, directory.path()));
  write(groups, "0::/\n");
  for (const char* text : {"", "max", "100000", "-1 100000", "100000 0", "0 100000"}) {
    CAPTURE(text);
    write(directory.path() / "cpu.max", text);
    CHECK_FALSE(rvm::detail::processor_quota(groups, directory.path()));
  }
}

#if defined(__linux__)
TEST_CASE("a process that is bound to one processor gets a team of one thread") {
  std::size_t size = 0;
  // A thread of its own, which may be bound without binding the others.
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    cpu_set_t all;
    REQUIRE(::sched_getaffinity(0, sizeof(all), &all) == 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &all)) {
        CPU_SET(cpu, &one);
        break;
      }
    }
    REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
    size = rvm::ThreadTeam().size();
  }).join();
  CHECK(size == 1);
}
#endif
