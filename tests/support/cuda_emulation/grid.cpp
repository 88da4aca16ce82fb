#include "grid.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fiber.hpp"
#include "support/random.hpp"
#include "support/sanitized.hpp"

namespace cuda_emulation {
namespace {

constexpr int kWarpSize = 32;
// Behind shared memory, to see whether they are written; a sanitizer sees that itself.
constexpr std::size_t kGuardBytes = RVM_TEST_SANITIZED ? 0 : 256;
constexpr unsigned char kGuard = 0xa5;
constexpr unsigned char kUnwritten = 0xff;  // NaN, in every type

Order order = Order::kForward;
Submit submitter;

std::string text(const Where& where) {
  const std::string path = where.file_name();
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(where.line());
}

bool same(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
};

enum class State { kReady, kMeetsBlock, kMeetsWarp, kLeft };

struct Thread {
  Fiber fiber;
  State state = State::kReady;
  Where where;
  Together together = nullptr;
  const void* argument = nullptr;
  void* result = nullptr;
  std::vector<Copy> copies;              // under way
  std::vector<std::size_t> copy_groups;  // where closed groups of them end
  std::exception_ptr error;
};

class Block {
 public:
  Block(int threads, std::size_t shared_bytes)
      : shared_bytes_(shared_bytes), shared_(new unsigned char[shared_bytes + kGuardBytes]) {
    for (int i = 0; i < threads; ++i) threads_.push_back(std::make_unique<Thread>());
  }

  void run(std::size_t x, std::size_t y, std::size_t z, const std::function<void()>& body, test::Random& random) {
    index_ = {0, x, y, z};
    std::memset(shared_.get(), kUnwritten, shared_bytes_);
    std::memset(shared_.get() + shared_bytes_, kGuard, kGuardBytes);
    for (auto& thread : threads_) {
      thread->state = State::kReady;
      thread->copies.clear();
      thread->copy_groups.clear();
      thread->fiber.start([&body, t = thread.get()] {
        try {
          body();
        } catch (...) {
          t->error = std::current_exception();
        }
        t->state = State::kLeft;
      });
    }
    // A warp goes on for as long as it can before another gets its turn: as far ahead as a GPU might let it be.
    while (!all(State::kLeft, threads_.begin(), threads_.end())) {
      bool moved = false;
      for (const std::size_t warp : turns(threads_.size() / kWarpSize, random)) {
        while (run_warp(threads_.begin() + static_cast<std::ptrdiff_t>(warp * kWarpSize), random)) moved = true;
      }
      if (met(State::kMeetsBlock, threads_.begin(), threads_.end())) {
        for (auto& thread : threads_) thread->state = State::kReady;
        moved = true;
      }
      if (!moved) throw std::logic_error(why_none_goes_on());
    }
    for (std::size_t i = 0; i < kGuardBytes; ++i) {
      if (shared_[shared_bytes_ + i] != kGuard) throw std::logic_error("a block wrote behind its shared memory");
    }
  }

  Thread& current() { return *threads_[static_cast<std::size_t>(index_.thread)]; }
  const Index& index() const { return index_; }
  unsigned char* shared() { return shared_.get(); }
  std::size_t shared_bytes() const { return shared_bytes_; }

  void meet(State how, const Where& where) {
    Thread& thread = current();
    thread.state = how;
    thread.where = where;
    thread.fiber.leave();
  }

 private:
  using Threads = std::vector<std::unique_ptr<Thread>>;

  static bool all(State state, Threads::const_iterator first, Threads::const_iterator last) {
    return std::all_of(first, last, [&](const auto& thread) { return thread->state == state; });
  }
  // Whether all wait for each other at one place.
  static bool met(State state, Threads::const_iterator first, Threads::const_iterator last) {
    return std::all_of(first, last, [&](const auto& thread) {
      return thread->state == state && thread->together == (*first)->together && same(thread->where, (*first)->where);
    });
  }

  static std::vector<std::size_t> turns(std::size_t count, test::Random& random) {
    std::vector<std::size_t> out(count);
    std::iota(out.begin(), out.end(), std::size_t{0});
    if (order == Order::kReverse) std::reverse(out.begin(), out.end());
    if (order == Order::kShuffled) {
      for (std::size_t i = count - 1; i > 0; --i) std::swap(out[i], out[random.between(0, i)]);
    }
    return out;
  }

  // Runs a warp's lanes until each has left or must wait, and does what they do together. Whether any ran.
  bool run_warp(Threads::iterator first, test::Random& random) {
    bool ran = false;
    for (const std::size_t lane : turns(kWarpSize, random)) {
      Thread& thread = *first[static_cast<std::ptrdiff_t>(lane)];
      if (thread.state != State::kReady) continue;
      ran = true;
      index_.thread = static_cast<int>(static_cast<std::size_t>(first - threads_.begin()) + lane);
      thread.fiber.resume();
      if (thread.error) std::rethrow_exception(std::exchange(thread.error, nullptr));
    }
    if (!ran || !met(State::kMeetsWarp, first, first + kWarpSize)) return ran;
    if ((*first)->together != nullptr) {
      const void* arguments[kWarpSize];
      void* results[kWarpSize];
      for (int lane = 0; lane < kWarpSize; ++lane) {
        arguments[lane] = first[lane]->argument;
        results[lane] = first[lane]->result;
      }
      (*first)->together(arguments, results);
    }
    std::for_each(first, first + kWarpSize, [](auto& thread) { thread->state = State::kReady; });
    return true;
  }

  static std::string doing(const Thread& thread) {
    if (thread.state == State::kLeft) return "left";
    return (thread.state == State::kMeetsBlock ? "waits for its block at " : "waits for its warp at ") +
           text(thread.where);
  }
  std::string why_none_goes_on() const {
    std::string out = "threads diverge in block (" + std::to_string(index_.x) + ", " + std::to_string(index_.y) + ", " +
                      std::to_string(index_.z) + ")";
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      const std::string now = doing(*threads_[i]);
      if (i == 0 || now != doing(*threads_[i - 1])) out += "; from thread " + std::to_string(i) + " on: " + now;
    }
    return out;
  }

  std::size_t shared_bytes_;
  std::unique_ptr<unsigned char[]> shared_;
  Threads threads_;
  Index index_{};
};

thread_local Block* running = nullptr;

}  // namespace

void set_order(Order new_order) {
  order = new_order;
}

void run_grid(std::size_t blocks_x, std::size_t blocks_y, std::size_t blocks_z, int threads, std::size_t shared_bytes,
              const std::function<void()>& body) {
  const auto fail = [](const std::string& what) { throw std::logic_error("a launch of " + what); };
  if (running != nullptr) fail("a kernel by a kernel");
  if (threads <= 0 || threads > 1024 || threads % kWarpSize != 0) fail(std::to_string(threads) + " threads a block");
  if (blocks_x == 0 || blocks_y == 0 || blocks_z == 0) fail("no blocks");
  if (blocks_x > 0x7fffffff || blocks_y > 0xffff || blocks_z > 0xffff) fail("more blocks than a grid may have");
  if (shared_bytes > 227 * 1024) fail(std::to_string(shared_bytes) + " bytes of shared memory");
  Block block(threads, shared_bytes);
  struct Running {
    explicit Running(Block* now) { running = now; }
    ~Running() { running = nullptr; }
  } const here(&block);
  test::Random random(1);
  const std::size_t count = blocks_x * blocks_y * blocks_z;
  const std::size_t step = 1 + 2 * (count / 3);  // any that shares no factor with the count
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t place = i;
    if (order == Order::kReverse) place = count - 1 - i;
    if (order == Order::kShuffled && std::gcd(step, count) == 1) place = i * step % count;
    block.run(place % blocks_x, place / blocks_x % blocks_y, place / blocks_x / blocks_y, body, random);
  }
}

void set_submit(Submit new_submit) {
  submitter = std::move(new_submit);
}
int submit(CUstream_st* queue, std::function<void()> work) {
  if (submitter) return submitter(queue, std::move(work));
  work();
  return 0;
}

const Index& index() {
  return running->index();
}
unsigned char* shared_memory() {
  return running->shared();
}
void meet_block(const Where& where) {
  running->current().together = nullptr;
  running->meet(State::kMeetsBlock, where);
}
void meet_warp(Together together, const void* argument, void* result, const Where& where) {
  Thread& thread = running->current();
  thread.together = together;
  thread.argument = argument;
  thread.result = result;
  running->meet(State::kMeetsWarp, where);
}

void check_aligned(const void* address, std::size_t alignment, const Where& where) {
  if (reinterpret_cast<std::uintptr_t>(address) % alignment != 0) {
    throw std::logic_error("an address is no multiple of " + std::to_string(alignment) + " at " + text(where));
  }
}
void check_shared(const void* address, std::size_t bytes, const Where& where) {
  const auto* const first = static_cast<const unsigned char*>(address);
  if (first < running->shared() || first + bytes > running->shared() + running->shared_bytes()) {
    throw std::logic_error("an address is not in shared memory at " + text(where));
  }
}

void copy_later(void* to, const void* from, std::size_t bytes) {
  running->current().copies.push_back({to, from, bytes});
}
void close_copies() {
  Thread& thread = running->current();
  thread.copy_groups.push_back(thread.copies.size());
}
void wait_for_copies(int still_running) {
  Thread& thread = running->current();
  const auto keep = static_cast<std::size_t>(still_running);
  if (thread.copy_groups.size() <= keep) return;
  const std::size_t groups = thread.copy_groups.size() - keep;
  const std::size_t count = thread.copy_groups[groups - 1];
  for (std::size_t i = 0; i < count; ++i) {
    const Copy& copy = thread.copies[i];
    if (copy.from == nullptr) {
      std::memset(copy.to, 0, copy.bytes);
    } else {
      std::memcpy(copy.to, copy.from, copy.bytes);
    }
  }
  const auto first = [](auto& list, std::size_t n) { return list.begin() + static_cast<std::ptrdiff_t>(n); };
  thread.copies.erase(thread.copies.begin(), first(thread.copies, count));
  thread.copy_groups.erase(thread.copy_groups.begin(), first(thread.copy_groups, groups));
  for (std::size_t& end : thread.copy_groups) end -= count;
}

}  // namespace cuda_emulation
