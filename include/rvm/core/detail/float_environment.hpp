#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace rvm::detail {

/// How the calling thread computes with floats while this lives, whatever the host has set: to nearest, without traps,
/// and denormal numbers (below 1.2e-38) count as zero, which some processors would take a hundred times as long for.
/// Leaves the thread's settings and exception flags as they were. Does nothing on processors other than x86-64 and
/// AArch64.
class FloatEnvironment {
 public:
  FloatEnvironment() noexcept { write(kOurs); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
  ~FloatEnvironment() { write(before_); }

 private:
#if defined(__x86_64__)
  using Control = unsigned int;
  // All exceptions masked (bits 7 to 12), to nearest; results flushed to zero (15) and operands taken as zero (6).
  static constexpr Control kOurs = 0x1f80 | 0x8000 | 0x0040;
  static Control read() noexcept {
    return _mm_getcsr();
  }
  static void write(Control control) noexcept {
    _mm_setcsr(control);
  }
#elif defined(__aarch64__)
  using Control = std::uint64_t;
  static constexpr Control kOurs = std::uint64_t{1} << 24;  // flush to zero; to nearest, no traps
  static Control read() noexcept {
    Control control = 0;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void write(Control control) noexcept {
    asm volatile("msr fpcr, %0" : : "r"(control));
  }
#else
  using Control = int;
  static constexpr Control kOurs = 0;
  static Control read() noexcept {
    return 0;
  }
  static void write(Control /*control*/) noexcept {}
#endif

  Control before_ = read();
};

}  // namespace rvm::detail
