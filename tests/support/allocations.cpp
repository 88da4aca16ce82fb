#include "support/allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "support/sanitized.hpp"

#if defined(__GLIBC__) && !RVM_TEST_SANITIZED
#define RVM_TEST_COUNTS_ALLOCATIONS 1
#else
#define RVM_TEST_COUNTS_ALLOCATIONS 0
#endif

namespace {
std::atomic<std::size_t> count{0};
std::atomic<std::size_t> freed{0};
}  // namespace

namespace test {
std::size_t allocations() noexcept {
  return count.load();
}
std::size_t releases() noexcept {
  return freed.load();
}
bool allocations_are_counted() noexcept {
  return RVM_TEST_COUNTS_ALLOCATIONS != 0;
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

void* malloc(std::size_t size) {
  ++count;
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  ++count;
  return __libc_calloc(n, size);
}
void* realloc(void* old, std::size_t size) {
  ++count;
  return __libc_realloc(old, size);
}
void free(void* memory) {
  if (memory != nullptr) ++freed;
  __libc_free(memory);
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++count;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++count;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  ++count;
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}
#endif
