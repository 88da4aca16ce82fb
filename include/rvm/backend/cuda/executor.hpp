#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <rvm/backend/cuda/frames.hpp>
#include <rvm/backend/cuda/memory.hpp>
#include <rvm/backend/cuda/queue.hpp>

namespace rvm::detail::cuda {

/// What an executor of the backend Cuda is but for its arithmetic: queues, graphs, frames and copies.
///
/// Work goes into one queue, in order, and is not waited for but by what moves numbers of the host, and finish().
class CudaExecutor {
 public:
  /// `users`: the queue to use, or null for one of its own. Throws CudaError or CudaBadAlloc.
  CudaExecutor(ContextHandle context, Queue users)
      : context_(std::move(context)),
        frames_(context_),
        lanes_{Lane(context_, users, true), Lane()},
        queues_{lanes_[0].queue.get(), nullptr},
        graphs_(context_),
        flag_(context_, 1),
        seen_(context_, 1) {}

  /// Where the work goes: a cudaStream_t. What is put into it is done after all that the executor was asked for before.
  Queue queue() const noexcept { return lanes_[0].queue.get(); }
  /// Waits until everything is done. Throws CudaError if something failed.
  void finish() const {
    const OnDevice here(*context_);
    context_->check(cuda::finish(queue()), "computing");
  }

  void write(std::span<const float> values, float* to) {
    const OnDevice here(*context_);
    context_->check(copy_to_device(queue(), to, values.data(), values.size_bytes()), "copying to the device");
    context_->check(cuda::finish(queue()), "copying to the device");
  }
  void read(const float* from, std::span<float> values) const {
    const OnDevice here(*context_);
    context_->check(copy_to_host(queue(), values.data(), from, values.size_bytes()), "copying to the host");
    context_->check(cuda::finish(queue()), "computing");
  }
  void copy(const float* from, float* to, std::size_t n) {
    const OnDevice here(*context_);
    context_->check(copy_on_device(lane().queue.get(), to, from, n * sizeof(float)), "copying on the device");
  }
  void zero(float* to, std::size_t n) {
    const OnDevice here(*context_);
    context_->check(cuda::zero(lane().queue.get(), to, n * sizeof(float)), "clearing device memory");
  }

  /// body(), whose operations depend on nothing but the key and what lies in device memory; `frames` are what its
  /// patches() reads. The first time it is computed operation by operation and written down as a graph; from then on it
  /// is one launch.
  template <class Frame, class Body>
  void replay(std::size_t key, std::span<const Frame> frames, const Body& body) {
    const OnDevice here(*context_);
    if (!frames.empty()) bring(frames);
    if (const Graph graph = graphs_.find(key); graph != nullptr) {
      context_->check(launch(queue(), graph), "launching a step");
      return;
    }
    if (graphs_.full()) drop_graphs();
    graphs_.reserve();
    const Replaying replaying(*this);
    body();
    context_->check(begin_capture(queue()), "writing down a step");
    capturing_ = true;
    try {
      body();
    } catch (...) {
      end_capture(queue(), nullptr);
      throw;
    }
    Graph graph = nullptr;
    context_->check(end_capture(queue(), &graph), "writing down a step");
    graphs_.keep(key, graph);
  }

  /// a() and b(), which write nothing that the other one reads or writes, at the same time; what follows waits for
  /// both, even if one throws.
  template <class A, class B>
  void beside(const A& a, const B& b) {
    const OnDevice here(*context_);
    if (!lanes_[1].queue) {
      fork_ = EventHandle(context_);
      join_ = EventHandle(context_);
      lanes_[1] = Lane(context_, nullptr, false);
      queues_[1] = lanes_[1].queue.get();
    }
    const Queue main = lanes_[0].queue.get();
    const Queue side = lanes_[1].queue.get();
    context_->check(record(fork_.get(), main), "forking");
    context_->check(wait_for(side, fork_.get()), "forking");
    const auto join = [&] {
      const int error = record(join_.get(), side);
      return error != 0 ? error : wait_for(main, join_.get());
    };
    try {
      {
        const Aside aside(*this);
        a();
      }
      b();
    } catch (...) {
      join();
      throw;
    }
    context_->check(join(), "joining");
  }

  /// Forgets what was written down: memory that it used is gone.
  void forget() {
    const OnDevice here(*context_);
    drop_graphs();
  }

  /// Looks whether n floats are finite, now, or later in the queue; watched() says whether all were that have been
  /// looked at since it was last asked.
  bool finite(const float* from, std::size_t n) {
    watch(from, n);
    return watched();
  }
  void watch(const float* from, std::size_t n) {
    const OnDevice here(*context_);
    context_->check(find_not_finite(lane().queue.get(), {from, 1, n}, flag_.data()), "looking for infinities");
  }
  bool watched() {
    const OnDevice here(*context_);
    const Queue queue = lane().queue.get();
    context_->check(copy_to_host(queue, seen_.data(), flag_.data(), sizeof(std::uint32_t)), "looking for infinities");
    context_->check(cuda::finish(queue), "computing");
    if (*seen_.data() == 0) return true;
    context_->check(cuda::zero(queue, flag_.data(), sizeof(std::uint32_t)), "looking for infinities");
    return false;
  }

  /// Numbers on their way to the host, by one of two places there: send() them as they are when all is done that has
  /// been asked for so far, and receive() waits for no more than that. What comes after sent() may write over where
  /// they were sent from.
  void send(std::size_t place, const float* from, std::size_t n) {
    const OnDevice here(*context_);
    if (!reading_) reading_ = QueueHandle(context_, nullptr);
    Returning& numbers = returning_[place];
    if (numbers.memory.size() < n) {
      context_->check(cuda::finish(reading_.get()), "copying to the host");
      numbers = {EventHandle(context_), EventHandle(context_), CudaPinned<float>(context_, n)};
    }
    context_->check(record(numbers.computed.get(), queue()), "computing");
    context_->check(wait_for(reading_.get(), numbers.computed.get()), "computing");
    context_->check(copy_to_host(reading_.get(), numbers.memory.data(), from, n * sizeof(float)),
                    "copying to the host");
    context_->check(record(numbers.copied.get(), reading_.get()), "copying to the host");
  }
  void sent(std::size_t place) {
    const OnDevice here(*context_);
    context_->check(wait_for(queue(), returning_[place].copied.get()), "copying to the host");
  }
  void receive(std::size_t place, std::span<float> values) {
    const OnDevice here(*context_);
    context_->check(cuda::finish(returning_[place].copied.get()), "computing");
    std::copy_n(returning_[place].memory.data(), values.size(), values.begin());
  }

 protected:
  /// A queue and what products need beside it.
  struct Lane {
    Lane() = default;
    Lane(const ContextHandle& context, Queue users, bool first)
        : queue(context, users, first), scratch(context, product_scratch(context->properties().major)) {}
    QueueHandle queue;
    CudaBuffer<std::byte> scratch;
  };

  const Context& context() const noexcept { return *context_; }
  /// Where operations go now.
  Lane& lane() noexcept { return lanes_[lane_]; }
  /// Those that have been made.
  std::span<const Queue> queues() const noexcept { return std::span(queues_).first(lanes_[1].queue ? 2 : 1); }
  /// Whether operations are only written down, so that nothing may be measured or taken.
  bool capturing() const noexcept { return capturing_; }

  /// The frames on the device; those of a replay are there already.
  template <class Frame>
  const DeviceFrame* on_device(std::span<const Frame> frames) {
    if (!replaying_) bring(frames);
    return frames_.frames(frames.size());
  }

 private:
  struct Replaying {
    explicit Replaying(CudaExecutor& all_) : all(all_) { all.replaying_ = true; }
    Replaying(const Replaying&) = delete;
    Replaying& operator=(const Replaying&) = delete;
    ~Replaying() { all.replaying_ = all.capturing_ = false; }
    CudaExecutor& all;
  };
  struct Returning {
    EventHandle computed;
    EventHandle copied;
    CudaPinned<float> memory;
  };
  struct Aside {
    explicit Aside(CudaExecutor& all_) : all(all_) { all.lane_ = 1; }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;
    ~Aside() { all.lane_ = 0; }
    CudaExecutor& all;
  };

  template <class Frame>
  void bring(std::span<const Frame> frames) {
    if (frames_.moves(frames)) drop_graphs();
    frames_.grow(frames);
    frames_.bring(queue(), frames);
  }
  void drop_graphs() {
    context_->check(cuda::finish(queue()), "computing");
    graphs_.clear();
  }

  ContextHandle context_;
  FrameStaging frames_;
  std::array<Lane, 2> lanes_;    // the executor's queue, and one beside it
  std::array<Queue, 2> queues_;  // the lanes'
  EventHandle fork_;
  EventHandle join_;
  std::array<Returning, 2> returning_;
  QueueHandle reading_;
  Graphs graphs_;
  CudaBuffer<std::uint32_t> flag_;  // whether a number was not finite
  CudaPinned<std::uint32_t> seen_;  // the host's copy of it
  std::size_t lane_ = 0;
  bool replaying_ = false;
  bool capturing_ = false;
};

}  // namespace rvm::detail::cuda
