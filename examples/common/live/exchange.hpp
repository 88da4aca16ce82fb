#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

#include <rvm/core/error.hpp>

#include "common/live/moment.hpp"

namespace rvm::examples {

/// A call that nobody takes any more, or that too many wait before.
class BusyError : public Error {
  using Error::Error;
};

/// Where the one thread that steps the model meets those that answer browsers. It leaves the newest moment here and
/// never waits for anyone; they take it when they can, and hand it calls to run between two frames.
class Exchange {
 public:
  using Clock = std::chrono::steady_clock;

  /// The newest moment, encoded by the first who asks: nothing is where nobody looks.
  class Published {
   public:
    Published(Moment moment, std::uint64_t serial) : moment_(std::move(moment)), serial_(serial) {}

    const Moment& moment() const noexcept { return moment_; }
    std::uint64_t serial() const noexcept { return serial_; }
    /// As encode() gives it. Safe from several threads.
    const std::string& encoded() const {
      std::call_once(once_, [&] { encoded_ = encode(moment_, serial_); });
      return encoded_;
    }

   private:
    Moment moment_;
    std::uint64_t serial_;
    mutable std::once_flag once_;
    mutable std::string encoded_;
  };

  // For the thread that steps.

  /// Puts `moment` in place of the one before.
  void publish(Moment moment) {
    const std::lock_guard lock(mutex_);
    newest_ = std::make_shared<const Published>(std::move(moment), ++serial_);
    published_.notify_all();
  }

  /// Runs the calls that have come, and those that come until `time`; what comes later waits for the next time.
  void serve(Clock::time_point time) {
    std::unique_lock lock(mutex_);
    do {
      for (std::size_t left = calls_.size(); left > 0 && !calls_.empty(); --left) {
        Call* const call = calls_.front();
        calls_.pop_front();
        lock.unlock();
        call->run();
        lock.lock();
        call->state = Call::State::kDone;
        answered_.notify_all();
      }
    } while (Clock::now() < time && called_.wait_until(lock, time, [&] { return !calls_.empty(); }));
  }

  /// Ends all waiting; what comes later is refused.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (Call* const call : calls_) call->state = Call::State::kRefused;
    calls_.clear();
    answered_.notify_all();
    published_.notify_all();
  }

  // For any thread.

  /// The newest moment if its serial is another than `seen`; else waits for one, but not longer than `patience`. Null
  /// if there is none.
  std::shared_ptr<const Published> newer_than(std::uint64_t seen, Clock::duration patience) const {
    std::unique_lock lock(mutex_);
    const auto is_newer = [&] { return newest_ && newest_->serial() != seen; };
    published_.wait_for(lock, patience, [&] { return closed_ || is_newer(); });
    return is_newer() ? newest_ : nullptr;
  }

  /// Has the thread that steps run `function`, waits, and returns what it returns or throws what it throws. Throws
  /// BusyError if the program is ending or many calls wait already.
  template <class Function>
  auto call(Function function) -> std::invoke_result_t<Function&> {
    constexpr std::size_t kMostCalls = 64;
    std::packaged_task<std::invoke_result_t<Function&>()> task(std::move(function));
    Call call{[&task] { task(); }};
    {
      std::unique_lock lock(mutex_);
      if (closed_) throw BusyError("the program is ending");
      if (calls_.size() >= kMostCalls) throw BusyError("too much to do at once: try again");
      calls_.push_back(&call);
      called_.notify_one();
      answered_.wait(lock, [&] { return call.state != Call::State::kWaiting; });
    }
    if (call.state == Call::State::kRefused) throw BusyError("the program is ending");
    return task.get_future().get();
  }

 private:
  /// Of a thread that waits for it, which owns it.
  struct Call {
    enum class State { kWaiting, kDone, kRefused };
    std::function<void()> run;
    State state = State::kWaiting;
  };

  mutable std::mutex mutex_;
  mutable std::condition_variable published_;
  std::condition_variable called_;
  std::condition_variable answered_;
  std::shared_ptr<const Published> newest_;
  std::uint64_t serial_ = 0;
  std::deque<Call*> calls_;
  bool closed_ = false;
};

}  // namespace rvm::examples
