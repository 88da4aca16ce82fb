#include "fiber.hpp"

#include <cstdint>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define RVM_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RVM_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef RVM_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// Saves what a function must keep, changes stacks, restores: a system call less than swapcontext.
extern "C" void rvm_switch_stack(void** save, void* to);
asm(R"(
.text
.type rvm_switch_stack, @function
rvm_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size rvm_switch_stack, .-rvm_switch_stack
)");
#else
#include <ucontext.h>
#endif

namespace cuda_emulation {
namespace {

#ifdef RVM_ADDRESS_SANITIZER
constexpr std::size_t kStackBytes = 256 * 1024;
#else
constexpr std::size_t kStackBytes = 64 * 1024;
#endif

}  // namespace

struct Fiber::Context {
  std::unique_ptr<unsigned char[]> stack{new unsigned char[kStackBytes]};
  std::function<void()> body;
#if defined(__x86_64__)
  void* inside = nullptr;
  void* outside = nullptr;
#else
  ucontext_t inside{};
  ucontext_t outside{};
#endif
  void* fake_stack_inside = nullptr;
  void* fake_stack_outside = nullptr;
  const void* outer_bottom = nullptr;
  std::size_t outer_size = 0;

  // The sanitizers want to know of every change of stacks.
  void before_switch_in() {
#ifdef RVM_ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(&fake_stack_outside, stack.get(), kStackBytes);
#endif
  }
  void after_switch_in() {
#ifdef RVM_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fake_stack_inside, &outer_bottom, &outer_size);
#endif
  }
  void before_switch_out(bool last) {
#ifdef RVM_ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(last ? nullptr : &fake_stack_inside, outer_bottom, outer_size);
#else
    static_cast<void>(last);
#endif
  }
  void after_switch_out() {
#ifdef RVM_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fake_stack_outside, nullptr, nullptr);
#endif
  }

  void switch_in() {
    before_switch_in();
#if defined(__x86_64__)
    rvm_switch_stack(&outside, inside);
#else
    swapcontext(&outside, &inside);
#endif
    after_switch_out();
  }
  void switch_out(bool last) {
    before_switch_out(last);
#if defined(__x86_64__)
    rvm_switch_stack(&inside, outside);
#else
    swapcontext(&inside, &outside);
#endif
    after_switch_in();
  }
};

namespace {

// What a fresh stack begins with: the context that start() was called for.
thread_local void* starting = nullptr;

}  // namespace

Fiber::Fiber() : context_(std::make_unique<Context>()) {}
Fiber::~Fiber() = default;

void Fiber::start(std::function<void()> body) {
  context_->body = std::move(body);
  context_->fake_stack_inside = nullptr;
  using Entry = void (*)();
  const Entry entry = [] {
    auto* const context = static_cast<Context*>(starting);
    context->after_switch_in();
    context->body();
    context->switch_out(true);
    std::abort();  // nobody resumes what has returned
  };
#if defined(__x86_64__)
  auto top = reinterpret_cast<std::uintptr_t>(context_->stack.get() + kStackBytes) & ~std::uintptr_t{15};
  auto* const slots = reinterpret_cast<void**>(top) - 8;  // six registers, the entry, the address that it returns to
  for (int i = 0; i < 6; ++i) slots[i] = nullptr;
  slots[6] = reinterpret_cast<void*>(entry);
  slots[7] = nullptr;
  context_->inside = slots;
#else
  getcontext(&context_->inside);
  context_->inside.uc_stack.ss_sp = context_->stack.get();
  context_->inside.uc_stack.ss_size = kStackBytes;
  makecontext(&context_->inside, entry, 0);
#endif
}

void Fiber::resume() {
  starting = context_.get();
  context_->switch_in();
}

void Fiber::leave() {
  context_->switch_out(false);
}

}  // namespace cuda_emulation
