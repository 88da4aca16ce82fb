#include "support/allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "support/sanitized.hpp"

#if defined(__GLIBC__) && !RVM_TEST_SANITIZED
#define RVM_TEST_COUNTS_ALLOCATIONS 1
#else
#define RVM_TEST_COUNTS_ALLOCATIONS 0
#endif

namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

std::atomic<std::size_t> count{0};
std::atomic<std::size_t> bytes{0};
std::atomic<std::size_t> freed{0};
std::atomic<std::size_t> live{0};
// Allocations from the first to fail up to, but without, the last: by their number in `count`.
std::atomic<std::size_t> first_failure{kNever};
std::atomic<std::size_t> last_failure{kNever};
std::atomic<std::size_t> failed{0};

}  // namespace

namespace test {
std::size_t allocations() noexcept {
  return count.load();
}
std::size_t allocated_bytes() noexcept {
  return bytes.load();
}
std::size_t releases() noexcept {
  return freed.load();
}
std::size_t live_blocks() noexcept {
  return live.load();
}
bool allocations_are_counted() noexcept {
  return RVM_TEST_COUNTS_ALLOCATIONS != 0;
}

FailingAllocation::FailingAllocation(std::size_t successes, bool all_after) noexcept {
  failed = 0;
  const std::size_t first = count.load() + successes;
  last_failure = all_after ? kNever : first + 1;
  first_failure = first;
}
FailingAllocation::~FailingAllocation() {
  first_failure = kNever;
}
std::size_t FailingAllocation::failures() const noexcept {
  return failed.load();
}
}  // namespace test

#if RVM_TEST_COUNTS_ALLOCATIONS
// The program's own malloc family, in front of the C library's: what operator new, Eigen and every library call.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t n, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace {

// Whether this allocation, which it counts, is to fail.
bool fails(std::size_t size) noexcept {
  bytes += size;
  const std::size_t number = count++;
  if (number < first_failure.load() || number >= last_failure.load()) return false;
  ++failed;
  errno = ENOMEM;
  return true;
}

void* counted(void* memory) noexcept {
  if (memory != nullptr) ++live;
  return memory;
}

}  // namespace

extern "C" {
void* malloc(std::size_t size) {
  return fails(size) ? nullptr : counted(__libc_malloc(size));
}
void* calloc(std::size_t n, std::size_t size) {
  return fails(n * size) ? nullptr : counted(__libc_calloc(n, size));
}
void* realloc(void* old, std::size_t size) {
  if (fails(size)) return nullptr;
  void* const memory = __libc_realloc(old, size);
  if (old == nullptr) return counted(memory);
  if (memory == nullptr && size == 0) --live;
  return memory;
}
void free(void* memory) {
  if (memory != nullptr) {
    ++freed;
    --live;
  }
  __libc_free(memory);
}
void* memalign(std::size_t alignment, std::size_t size) {
  return fails(size) ? nullptr : counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return fails(size) ? nullptr : counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  if (fails(size)) return ENOMEM;
  *out = counted(__libc_memalign(alignment, size));
  return *out == nullptr ? ENOMEM : 0;
}
}
#endif
