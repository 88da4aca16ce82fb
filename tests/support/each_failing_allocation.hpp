#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <system_error>

#include <rvm/core/error.hpp>

#include "support/allocations.hpp"

namespace test {

/// What came of a trial whose n-th allocation failed, for every n.
struct FailingAllocations {
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  std::size_t trials = 0;           // until one in which nothing failed
  std::size_t throwing = 0;         // those whose operation ended in an exception
  std::size_t first_leak = kNone;   // the first n after which memory was left
  std::size_t first_wrong = kNone;  // the first n that trial() was not content with

  bool clean() const { return first_leak == kNone && first_wrong == kNone; }
};

/// Calls trial(attempt) again and again, after a first time without failures. attempt(operation) runs the operation
/// while one allocation fails, or `all_after` it too, a later one in every trial; it returns whether the operation
/// threw std::bad_alloc, an rvm::Error or std::system_error: another exception goes through. trial returns whether it
/// is content; whatever it has made it must have destroyed. Nothing may be asserted in it, for assertions allocate.
template <class Trial>
FailingAllocations each_failing_allocation(const Trial& trial, bool all_after = false) {
  FailingAllocations result;
  // What is made once and stays: a thread's cache, a locale.
  static_cast<void>(trial([](const auto& operation) {
    operation();
    return false;
  }));
  if (!allocations_are_counted()) return result;
  for (std::size_t n = 0;; ++n) {
    const std::size_t before = live_blocks();
    bool failed = false;
    bool any_threw = false;
    const bool content = trial([&](const auto& operation) {
      const FailingAllocation failing(n, all_after);
      bool threw = false;
      try {
        operation();
      } catch (const std::bad_alloc&) {
        threw = true;
      } catch (const rvm::Error&) {
        threw = true;
      } catch (const std::system_error&) {
        threw = true;
      }
      failed = failed || failing.failures() != 0;
      any_threw = any_threw || threw;
      return threw;
    });
    ++result.trials;
    result.throwing += any_threw ? 1 : 0;
    if (!content && result.first_wrong == FailingAllocations::kNone) result.first_wrong = n;
    if (live_blocks() != before && result.first_leak == FailingAllocations::kNone) result.first_leak = n;
    if (!failed) return result;
  }
}

}  // namespace test
