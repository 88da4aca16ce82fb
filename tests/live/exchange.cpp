#include "common/live/exchange.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/live.hpp"

using namespace std::chrono_literals;
using rvm::examples::BusyError;
using rvm::examples::Exchange;

namespace {

rvm::examples::Moment moment_of(std::uint64_t step) {
  rvm::examples::Moment moment;
  moment.step = step;
  return moment;
}

/// A thread that does nothing but what it is called for.
class Serving {
 public:
  explicit Serving(Exchange& exchange) : exchange_(exchange) {
    thread_ = std::thread([this] {
      while (!done_) exchange_.serve(Exchange::Clock::now() + 5ms);
    });
  }
  ~Serving() {
    done_ = true;
    thread_.join();
  }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  Exchange& exchange_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("the newest moment is the one that is seen") {
  Exchange exchange;
  CHECK(exchange.newer_than(0, 1ms) == nullptr);
  for (std::uint64_t step = 1; step <= 3; ++step) exchange.publish(moment_of(step));
  const auto newest = exchange.newer_than(0, 0ms);
  REQUIRE(newest);
  CHECK(newest->moment().step == 3);
  CHECK(newest->serial() == 3);
  CHECK(test::DecodedMoment(newest->encoded()).json["serial"] == 3);
  CHECK(exchange.newer_than(3, 1ms) == nullptr);
  CHECK(exchange.newer_than(77, 0ms) == newest);  // of a program that ran before
  exchange.publish(moment_of(4));
  CHECK(newest->moment().step == 3);  // whoever still looks at it is not disturbed
}

TEST_CASE("who waits for a moment gets it when it comes") {
  Exchange exchange;
  exchange.publish(moment_of(1));
  std::vector<std::thread> watchers;
  std::atomic<int> seen = 0;
  for (int i = 0; i < 4; ++i) {
    watchers.emplace_back([&] {
      const auto newest = exchange.newer_than(1, 60s);
      if (newest && newest->moment().step == 2 && !newest->encoded().empty()) ++seen;
    });
  }
  exchange.publish(moment_of(2));
  for (std::thread& watcher : watchers) watcher.join();
  CHECK(seen == 4);
}

TEST_CASE("calls run in the serving thread; what they return or throw goes back") {
  Exchange exchange;
  const Serving serving(exchange);
  CHECK(exchange.call([] { return std::this_thread::get_id(); }) == serving.id());
  CHECK(exchange.call([p = std::make_unique<int>(5)] { return *p; }) == 5);
  CHECK_THROWS_WITH(exchange.call([] { throw rvm::ArgumentError("no"); }), "no");
  CHECK_THROWS_AS(exchange.call([]() -> int { throw std::out_of_range("x"); }), std::out_of_range);
  int sum = 0;  // without a lock: calls do not overlap
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 100; ++k) exchange.call([&] { ++sum; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(sum == 800);
}

TEST_CASE("serving ends at its time") {
  Exchange exchange;
  const auto start = Exchange::Clock::now();
  exchange.serve(start + 20ms);
  CHECK(Exchange::Clock::now() - start >= 20ms);
  std::atomic<bool> called = false;
  std::thread caller([&] { exchange.call([&] { called = true; }); });
  while (!called) exchange.serve(start);  // in the past: what is there, and no waiting
  caller.join();
}

TEST_CASE("however many calls come, serving ends") {
  Exchange exchange;
  std::atomic<bool> done = false;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      try {
        while (!done) exchange.call([] { std::this_thread::sleep_for(2ms); });
      } catch (const BusyError&) {
      }
    });
  }
  const auto start = Exchange::Clock::now();
  for (int i = 0; i < 5; ++i) exchange.serve(start);
  CHECK(Exchange::Clock::now() - start < 10s);
  done = true;
  exchange.close();
  for (std::thread& caller : callers) caller.join();
}

TEST_CASE("a closed exchange lets nobody wait") {
  Exchange exchange;
  std::vector<std::thread> waiting;
  std::atomic<int> refused = 0;
  const auto call = [&] {
    try {
      exchange.call([] {});
    } catch (const BusyError&) {
      ++refused;
    }
  };
  for (int i = 0; i < 3; ++i) waiting.emplace_back(call);
  waiting.emplace_back([&] {
    if (exchange.newer_than(0, 60s) == nullptr) ++refused;
  });
  exchange.close();
  for (std::thread& thread : waiting) thread.join();
  call();
  CHECK(refused == 5);
  CHECK(exchange.newer_than(0, 60s) == nullptr);
}

TEST_CASE("too many calls are refused") {
  Exchange exchange;
  std::vector<std::thread> waiting;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 100; ++i) {
    waiting.emplace_back([&] {
      try {
        exchange.call([] {});
      } catch (const BusyError&) {
        ++refused;
      }
    });
  }
  while (refused < 36) std::this_thread::yield();  // 64 wait
  CHECK(refused == 36);
  exchange.serve(Exchange::Clock::now());
  for (std::thread& thread : waiting) thread.join();
  CHECK(refused == 36);
}
