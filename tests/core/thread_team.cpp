#include <rvm/core/thread_team.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("a team does every part once and names threads within its size") {
  const std::size_t threads = GENERATE(1U, 2U, 4U);
  rvm::ThreadTeam team(threads);
  CHECK(team.size() == threads);
  for (std::size_t parts = 0; parts < 300; parts += 1 + parts / 5) {
    std::vector<std::atomic<int>> done(parts);
    std::atomic<bool> in_range{true};
    team.run(parts, [&](std::size_t part, std::size_t thread) noexcept {
      ++done[part];
      if (thread >= threads) in_range = false;
    });
    CHECK(std::all_of(done.begin(), done.end(), [](const std::atomic<int>& n) { return n == 1; }));
    CHECK(in_range);
  }
}

TEST_CASE("a team of no given size has a thread for each processor that may be used") {
  CHECK(rvm::ThreadTeam().size() == rvm::detail::usable_processors());
  CHECK(rvm::ThreadTeam().size() <= std::max(1U, std::thread::hardware_concurrency()));
}

TEST_CASE("what the parts wrote is seen after the run, job after job") {
  rvm::ThreadTeam team(3);
  std::vector<long> values(64, 0);
  for (int job = 0; job < 5000; ++job) {
    team.run(values.size(), [&](std::size_t part, std::size_t) noexcept { values[part] += static_cast<long>(part); });
  }
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == 5000 * static_cast<long>(i));
}

TEST_CASE("no two parts that run at once have the same thread number") {
  rvm::ThreadTeam team(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> alone{true};
  for (int job = 0; job < 200; ++job) {
    team.run(40, [&](std::size_t, std::size_t thread) noexcept {
      if (++inside[thread] != 1) alone = false;
      std::this_thread::yield();
      --inside[thread];
    });
  }
  CHECK(alone);
}

TEST_CASE("several callers share a team without waiting for each other") {
  rvm::ThreadTeam team(2);
  std::atomic<std::size_t> sum{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        for (int job = 0; job < 500; ++job) {
          team.run(8, [&](std::size_t part, std::size_t) noexcept { sum += part; });
        }
      });
    }
  }
  CHECK(sum == std::size_t{4} * 500 * 28);
}

TEST_CASE("a team wakes from sleep and ends while asleep") {
  auto team = std::make_unique<rvm::ThreadTeam>(3);
  std::atomic<int> done{0};
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    team->run(6, [&](std::size_t, std::size_t) noexcept { ++done; });
  }
  CHECK(done == 18);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  team.reset();
}
