#pragma once

#include <cstddef>

namespace test {

/// Calls of malloc, operator new and their kin so far, by all threads. Only where allocations_are_counted().
std::size_t allocations() noexcept;

/// Bytes that they have asked for.
std::size_t allocated_bytes() noexcept;

/// Calls of free so far, but for those of null.
std::size_t releases() noexcept;

/// Blocks of memory that are in use.
std::size_t live_blocks() noexcept;

/// Whether this build counts: the C library is glibc and no sanitizer has taken the allocator.
bool allocations_are_counted() noexcept;

/// While it lives, allocations fail, by whichever thread: the one after `successes` that succeed, and, if `all_after`,
/// all that follow. At most one at a time.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::size_t successes, bool all_after = false) noexcept;
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation();

  /// Allocations that have failed so far.
  std::size_t failures() const noexcept;
};

}  // namespace test
