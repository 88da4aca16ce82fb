#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <rvm/backend/cuda/context.hpp>

namespace rvm::detail::cuda {

/// A queue of one's own, or the user's.
class QueueHandle {
 public:
  QueueHandle() = default;
  /// `users` null makes one, whose work comes `first` or not. Throws CudaError.
  QueueHandle(ContextHandle context, Queue users, bool first = false)
      : context_(std::move(context)), queue_(users), owned_(users == nullptr) {
    const OnDevice here(*context_);
    if (owned_) context_->check(make_queue(&queue_, first), "making a stream");
  }
  QueueHandle(QueueHandle&& other) noexcept { *this = std::move(other); }
  QueueHandle& operator=(QueueHandle&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(queue_, other.queue_);
    std::swap(owned_, other.owned_);
    return *this;
  }
  /// Waits for what is in it.
  ~QueueHandle() {
    int previous = 0;
    if (context_ == nullptr || enter_device(context_->device(), &previous) != 0) return;
    cuda::finish(queue_);
    if (owned_) destroy_queue(queue_);
    leave_device(previous);
  }

  Queue get() const noexcept { return queue_; }
  explicit operator bool() const noexcept { return context_ != nullptr; }

 private:
  ContextHandle context_;
  Queue queue_ = nullptr;
  bool owned_ = false;
};

class EventHandle {
 public:
  EventHandle() = default;
  /// Throws CudaError.
  explicit EventHandle(ContextHandle context) : context_(std::move(context)) {
    const OnDevice here(*context_);
    context_->check(make_event(&event_, false), "making an event");
  }
  EventHandle(EventHandle&& other) noexcept { *this = std::move(other); }
  EventHandle& operator=(EventHandle&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventHandle() {
    int previous = 0;
    if (event_ == nullptr || enter_device(context_->device(), &previous) != 0) return;
    destroy_event(event_);
    leave_device(previous);
  }

  Event get() const noexcept { return event_; }

 private:
  ContextHandle context_;
  Event event_ = nullptr;
};

/// Graphs by the key of what they do; at most kMost at a time.
class Graphs {
 public:
  static constexpr std::size_t kMost = 64;

  Graphs() = default;
  explicit Graphs(ContextHandle context) : context_(std::move(context)) {}
  Graphs(Graphs&& other) noexcept { *this = std::move(other); }
  Graphs& operator=(Graphs&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(all_, other.all_);
    return *this;
  }
  ~Graphs() { clear(); }

  /// Null if there is none.
  Graph find(std::size_t key) const noexcept {
    for (const auto& [its_key, graph] : all_) {
      if (its_key == key) return graph;
    }
    return nullptr;
  }
  bool full() const noexcept { return all_.size() == kMost; }
  /// Room for one more, so that keep() cannot fail. Throws std::bad_alloc.
  void reserve() { all_.reserve(all_.size() + 1); }
  void keep(std::size_t key, Graph graph) noexcept { all_.emplace_back(key, graph); }
  /// Forgets all; nothing may still be running.
  void clear() noexcept {
    int previous = 0;
    if (!all_.empty() && enter_device(context_->device(), &previous) == 0) {
      for (const auto& entry : all_) destroy_graph(entry.second);
      leave_device(previous);
    }
    all_.clear();
  }

 private:
  ContextHandle context_;
  std::vector<std::pair<std::size_t, Graph>> all_;
};

}  // namespace rvm::detail::cuda
