#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace rvm::detail {

/// What becomes of numbers below 1.2e-38.
enum class Denormals : std::uint8_t {
  kZero,  // some processors would take a hundred times as long for them
  kKept,
};

/// How the calling thread computes with floats while this lives, whatever the host has set: to nearest and without
/// traps. Leaves the thread's settings and exception flags as they were. Does nothing on processors other than x86-64
/// and AArch64.
class FloatEnvironment {
 public:
  explicit FloatEnvironment(Denormals denormals = Denormals::kZero) noexcept {
    write(denormals == Denormals::kZero ? kOurs | kFlush : kOurs);
  }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
  ~FloatEnvironment() { write(before_); }

 private:
#if defined(__x86_64__)
  using Control = unsigned int;
  static constexpr Control kOurs = 0x1f80;            // all exceptions masked (bits 7 to 12), to nearest
  static constexpr Control kFlush = 0x8000 | 0x0040;  // results flushed to zero (15), operands taken as zero (6)
  static Control read() noexcept {
    return _mm_getcsr();
  }
  static void write(Control control) noexcept {
    asm volatile("" : : : "memory");  // numbers are read and written on their side of it
    _mm_setcsr(control);
    asm volatile("" : : : "memory");
  }
#elif defined(__aarch64__)
  using Control = std::uint64_t;
  static constexpr Control kOurs = 0;  // to nearest, no traps
  static constexpr Control kFlush = std::uint64_t{1} << 24;
  static Control read() noexcept {
    Control control = 0;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void write(Control control) noexcept {
    asm volatile("msr fpcr, %0" : : "r"(control) : "memory");
  }
#else
  using Control = int;
  static constexpr Control kOurs = 0;
  static constexpr Control kFlush = 0;
  static Control read() noexcept {
    return 0;
  }
  static void write(Control /*control*/) noexcept {}
#endif

  Control before_ = read();
};

}  // namespace rvm::detail
