#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>
#include <rvm/core/detail/processors.hpp>

namespace rvm {

/// A few threads that share out the independent parts of one operation. The calling thread is one of them.
///
/// run() may be called from any thread. While one caller has the team, another caller does its parts alone, so that
/// several streams never put more threads to work than there are. Idle threads spin for 50 microseconds, then sleep.
/// All threads, the caller's too for as long as run() lasts, compute with floats alike, whatever the caller has set:
/// round to nearest, no traps, denormal numbers count as zero.
class ThreadTeam {
 public:
  /// `threads` in all, the caller's included; 0 takes one for each processor that the caller may use, by its affinity
  /// and its control group's quota. Throws std::system_error if a thread cannot be started.
  explicit ThreadTeam(std::size_t threads = 0) {
    if (threads == 0) threads = detail::usable_processors();
    workers_.reserve(threads - 1);
    try {
      for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  ~ThreadTeam() { stop(); }

  /// Number of threads, the caller's included.
  std::size_t size() const noexcept { return workers_.size() + 1; }

  /// Calls task(part, thread) once for every part in [0, parts), and returns when all are done. `thread` in
  /// [0, size()) differs between calls that run at the same time, so it can name a thread's own scratch. Which thread
  /// gets which part is not fixed: a part must not depend on it. Allocates nothing. The task must not throw.
  template <class Task>
  void run(std::size_t parts, const Task& task) noexcept {
    static_assert(std::is_nothrow_invocable_v<const Task&, std::size_t, std::size_t>, "mark the task noexcept");
    const detail::FloatEnvironment environment;
    std::unique_lock lock(busy_, std::defer_lock);
    if (parts <= 1 || workers_.empty() || parts > kPartsMask || !lock.try_lock()) {
      for (std::size_t part = 0; part < parts; ++part) task(part, 0);
      return;
    }
    context_ = &task;
    call_ = [](const void* context, std::size_t part, std::size_t thread) noexcept {
      (*static_cast<const Task*>(context))(part, thread);
    };
    unfinished_.store(static_cast<std::uint32_t>(parts), std::memory_order_relaxed);
    const std::uint64_t job = (unclaimed_.load(std::memory_order_relaxed) >> kPartsBits) + 1;
    unclaimed_.store(job << kPartsBits | parts, std::memory_order_release);
    jobs_.fetch_add(1, std::memory_order_seq_cst);
    jobs_.notify_all();
    work_on_parts(0);
    wait_until_finished();
  }

 private:
  // How long an idle thread looks for work before it sleeps: the length of a short operation of the caller's own.
  static constexpr std::chrono::microseconds kPatience{50};
  static constexpr unsigned kPartsBits = 32;
  static constexpr std::uint64_t kPartsMask = (std::uint64_t{1} << kPartsBits) - 1;

  static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  // Calls done() again and again until it says true or patience ends; whether it did. By the clock, since a pause takes
  // ten times as long on some processors as on others.
  template <class Done>
  static bool spin_until(const Done& done) noexcept {
    using Clock = std::chrono::steady_clock;
    constexpr int kLooksPerTime = 32;
    for (Clock::time_point end{};;) {
      for (int look = 0; look < kLooksPerTime; ++look) {
        if (done()) return true;
        pause();
      }
      const Clock::time_point now = Clock::now();
      if (end == Clock::time_point{}) end = now + kPatience;
      if (now >= end) return false;
    }
  }

  // Claims parts of the current job and does them until none is left; whether there was one. The job's number is in the
  // upper half of `unclaimed_`, so a claim succeeds only for the job that was looked at, and that job cannot end before
  // the claimed parts are reported, which happens once.
  bool work_on_parts(std::size_t thread) noexcept {
    std::uint32_t done = 0;
    std::uint64_t seen = unclaimed_.load(std::memory_order_acquire);
    while ((seen & kPartsMask) != 0) {
      if (!unclaimed_.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        continue;
      }
      call_(context_, static_cast<std::size_t>(seen & kPartsMask) - 1, thread);
      ++done;
      seen = unclaimed_.load(std::memory_order_acquire);
    }
    if (done == 0) return false;
    if (unfinished_.fetch_sub(done, std::memory_order_acq_rel) == done) unfinished_.notify_one();
    return true;
  }

  void wait_until_finished() noexcept {
    if (spin_until([&] { return unfinished_.load(std::memory_order_acquire) == 0; })) return;
    for (std::uint32_t left = unfinished_.load(std::memory_order_acquire); left != 0;
         left = unfinished_.load(std::memory_order_acquire)) {
      unfinished_.wait(left, std::memory_order_acquire);
    }
  }

  void work(std::size_t thread) noexcept {
    const detail::FloatEnvironment environment;
    for (;;) {
      const std::uint32_t seen = jobs_.load(std::memory_order_seq_cst);
      const bool worked =
          spin_until([&] { return stopping_.load(std::memory_order_acquire) || work_on_parts(thread); });
      if (stopping_.load(std::memory_order_acquire)) return;
      if (!worked) jobs_.wait(seen, std::memory_order_seq_cst);
    }
  }

  void stop() noexcept {
    stopping_.store(true, std::memory_order_release);
    jobs_.fetch_add(1, std::memory_order_seq_cst);
    jobs_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  std::mutex busy_;
  const void* context_ = nullptr;
  void (*call_)(const void*, std::size_t, std::size_t) noexcept = nullptr;
  alignas(64) std::atomic<std::uint64_t> unclaimed_{0};   // job number << 32 | parts not yet claimed
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};  // parts of the current job not yet done
  alignas(64) std::atomic<std::uint32_t> jobs_{0};        // counts jobs; sleeping threads wait on it
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace rvm
