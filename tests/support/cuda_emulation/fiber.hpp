#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace cuda_emulation {

/// A function with a stack of its own, which can be left and entered again.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Begins `body` anew at the next resume(). It must not let exceptions out.
  void start(std::function<void()> body);
  /// Runs it until it calls leave() or returns.
  void resume();
  /// Back to who resumed; called from inside.
  void leave();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace cuda_emulation
