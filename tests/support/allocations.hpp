#pragma once

#include <cstddef>

namespace test {

/// Calls of malloc, operator new and their kin so far, by all threads. Only where allocations_are_counted().
std::size_t allocations() noexcept;

/// Calls of free so far, but for those of null.
std::size_t releases() noexcept;

/// Whether this build counts: the C library is glibc and no sanitizer has taken the allocator.
bool allocations_are_counted() noexcept;

}  // namespace test
