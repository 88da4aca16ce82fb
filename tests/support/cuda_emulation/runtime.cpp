// rvm/backend/cuda/runtime.hpp on the CPU, but for products.

#include <rvm/backend/cuda/runtime.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <rvm/core/detail/float_environment.hpp>

#include "cuda_emulation/device_world.hpp"
#include "cuda_emulation/grid.hpp"

namespace {

constexpr int kInvalidValue = 1;
constexpr int kMemoryAllocation = 2;
constexpr int kInvalidDevice = 101;
constexpr int kIllegalState = 401;
constexpr int kCaptureUnsupported = 900;
constexpr int kCaptureUnjoined = 904;

using Work = std::function<void()>;

// What a capture has written down: work, and what it comes after.
struct Node {
  Work work;
  std::vector<std::size_t> after;
};
struct Capture {
  std::vector<Node> nodes;
  CUstream_st* origin = nullptr;
  bool broken = false;
};

}  // namespace

struct CUstream_st {
  int device = 0;
  std::deque<Work> pending;
  std::size_t asked = 0;
  std::size_t done = 0;
  std::shared_ptr<Capture> capture;
  std::vector<std::size_t> tips;  // in the capture: what comes next comes after these
};

struct CUevent_st {
  CUstream_st* queue = nullptr;
  std::size_t after = 0;
  std::shared_ptr<Capture> capture;
  std::vector<std::size_t> tips;
};

struct CUgraphExec_st {
  std::vector<Node> nodes;
  std::size_t launches = 0;
};

namespace {

constexpr std::size_t kGuard = 64;
struct Block {
  std::size_t bytes = 0;
  bool pinned = false;
};

struct World {
  std::recursive_mutex lock;
  std::map<unsigned char*, Block> blocks;
  std::vector<CUstream_st*> queues;
  int lost[cuda_emulation::kDevices] = {};
  std::size_t failing = 0;
  cuda_emulation::Counts counts;
};
World& world() {
  static World all;
  return all;
}
thread_local int current_device = 0;
thread_local std::shared_ptr<Capture> current_capture;

int state() {
  return world().lost[current_device];
}

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "emulated GPU: %s\n", what);
  std::abort();
}

// The block that holds these bytes, if one does.
const Block* block_of(const void* address, std::size_t bytes) {
  auto* const first = static_cast<unsigned char*>(const_cast<void*>(address));
  auto found = world().blocks.upper_bound(first);
  if (found == world().blocks.begin()) return nullptr;
  --found;
  return first + bytes <= found->first + found->second.bytes ? &found->second : nullptr;
}
bool is_pinned(const void* address, std::size_t bytes) {
  const Block* const block = block_of(address, bytes);
  return block != nullptr && block->pinned;
}
bool on_device(const void* address, std::size_t bytes) {
  const Block* const block = block_of(address, bytes);
  return block != nullptr && !block->pinned;
}

void run_until(CUstream_st* queue, std::size_t count) {
  const rvm::detail::FloatEnvironment environment(
      rvm::detail::Denormals::kKept);  // a device knows nothing of the host's
  if (std::find(world().queues.begin(), world().queues.end(), queue) == world().queues.end()) return;  // long done
  while (queue->done < count && !queue->pending.empty()) {
    const Work work = std::move(queue->pending.front());
    queue->pending.pop_front();
    work();
    ++queue->done;
  }
}

int submit(CUstream_st* queue, Work work) {
  if (const int error = state(); error != 0) return error;
  if (queue->capture != nullptr) {
    queue->capture->nodes.push_back({std::move(work), queue->tips});
    queue->tips = {queue->capture->nodes.size() - 1};
    return 0;
  }
  ++world().counts.operations;
  queue->pending.push_back(std::move(work));
  ++queue->asked;
  return 0;
}

// What CUDA refuses to a thread that is writing down a graph.
int refuse_in_capture() {
  if (current_capture == nullptr) return 0;
  current_capture->broken = true;
  return kCaptureUnsupported;
}

int take(void** memory, std::size_t bytes, bool pinned) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  if (const int error = refuse_in_capture(); error != 0) return error;
  if (world().failing != 0 && --world().failing == 0) return kMemoryAllocation;
  if (bytes > std::size_t{1} << 40) return kMemoryAllocation;
  auto* const all = static_cast<unsigned char*>(std::aligned_alloc(256, (bytes + 2 * 256 + 255) / 256 * 256));
  if (all == nullptr) return kMemoryAllocation;
  std::memset(all, 0xa5, 256);
  std::memset(all + 256, 0xff, bytes);
  std::memset(all + 256 + bytes, 0xa5, kGuard);
  world().blocks[all + 256] = {bytes, pinned};
  ++world().counts.allocations;
  ++world().counts.live;
  *memory = all + 256;
  return 0;
}

int give(void* memory) {
  const std::lock_guard lock(world().lock);
  for (CUstream_st* const queue : std::vector<CUstream_st*>(world().queues)) run_until(queue, queue->asked);
  auto* const first = static_cast<unsigned char*>(memory);
  const auto found = world().blocks.find(first);
  if (found == world().blocks.end()) give_up("memory given back that was not taken");
  const auto intact = [](const unsigned char* guard) {
    return std::all_of(guard, guard + kGuard, [](unsigned char v) { return v == 0xa5; });
  };
  if (!intact(first - kGuard) || !intact(first + found->second.bytes)) give_up("memory written beside its bounds");
  world().blocks.erase(found);
  --world().counts.live;
  std::free(first - 256);
  return state();
}

}  // namespace

namespace cuda_emulation {

void fail_allocation(std::size_t n) {
  const std::lock_guard lock(world().lock);
  world().failing = n;
}
void lose_device(int device, int error) {
  const std::lock_guard lock(world().lock);
  world().lost[device] = error;
  for (CUstream_st* const queue : world().queues) {
    if (queue->device != device) continue;
    queue->done += queue->pending.size();
    queue->pending.clear();
  }
}
void revive_device(int device) {
  const std::lock_guard lock(world().lock);
  world().lost[device] = 0;
}
Counts counts() {
  const std::lock_guard lock(world().lock);
  return world().counts;
}

}  // namespace cuda_emulation

namespace rvm::detail::cuda {

const char* error_name(int error) noexcept {
  switch (error) {
    case 0: return "cudaSuccess";
    case kInvalidValue: return "cudaErrorInvalidValue";
    case kMemoryAllocation: return "cudaErrorMemoryAllocation";
    case kInvalidDevice: return "cudaErrorInvalidDevice";
    case kIllegalState: return "cudaErrorIllegalState";
    case 700: return "cudaErrorIllegalAddress";
    case kCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case kCaptureUnjoined: return "cudaErrorStreamCaptureUnjoined";
    default: return "cudaErrorUnknown";
  }
}
const char* error_text(int error) noexcept {
  return error == 700 ? "an illegal memory access was encountered" : "emulated";
}
bool is_out_of_memory(int error) noexcept {
  return error == kMemoryAllocation;
}
bool is_lost(int error) noexcept {
  return error == 700;
}

int count_devices(int* count) {
  *count = cuda_emulation::kDevices;
  return 0;
}
int describe_device(int device, Properties* properties) {
  std::snprintf(properties->name, sizeof properties->name, "emulated GPU %d", device);
  properties->major = device + 1 < cuda_emulation::kDevices ? 8 : 7;
  return 0;
}
int enter_device(int device, int* previous) {
  *previous = std::exchange(current_device, device);
  return 0;
}
int leave_device(int previous) {
  current_device = previous;
  return 0;
}

int allocate(void** memory, std::size_t bytes) {
  return take(memory, bytes, false);
}
int release(void* memory) {
  return give(memory);
}
int allocate_pinned(void** memory, std::size_t bytes) {
  return take(memory, bytes, true);
}
int release_pinned(void* memory) {
  return give(memory);
}

int make_queue(Queue* queue, bool) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  static const bool submits = [] {
    cuda_emulation::set_submit([](CUstream_st* q, Work work) {
      const std::lock_guard its_lock(world().lock);
      return submit(q, std::move(work));
    });
    return true;
  }();
  static_cast<void>(submits);
  *queue = new CUstream_st;
  (*queue)->device = current_device;
  world().queues.push_back(*queue);
  return 0;
}
int destroy_queue(Queue queue) {
  const std::lock_guard lock(world().lock);
  run_until(queue, queue->asked);
  std::erase(world().queues, queue);
  delete queue;
  return state();
}
int finish(Queue queue) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  if (queue->capture != nullptr) return refuse_in_capture();
  ++world().counts.waits;
  run_until(queue, queue->asked);
  return 0;
}
int make_event(Event* event, bool) {
  *event = new CUevent_st;
  return state();
}
int destroy_event(Event event) {
  delete event;
  return 0;
}
int record(Event event, Queue queue) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  *event = {queue, queue->asked, queue->capture, queue->tips};
  return 0;
}
int wait_for(Queue queue, Event event) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  if (event->capture != nullptr) {
    if (queue->capture != nullptr && queue->capture != event->capture) return kIllegalState;
    queue->capture = event->capture;
    for (const std::size_t tip : event->tips) {
      if (std::find(queue->tips.begin(), queue->tips.end(), tip) == queue->tips.end()) queue->tips.push_back(tip);
    }
    return 0;
  }
  if (queue->capture != nullptr) return kIllegalState;  // what is outside is not in the graph
  if (event->queue == nullptr || event->queue == queue) return 0;
  return submit(queue, [other = event->queue, after = event->after] { run_until(other, after); });
}
int finish(Event event) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  if (event->capture != nullptr) return refuse_in_capture();
  ++world().counts.waits;
  if (event->queue != nullptr) run_until(event->queue, event->after);
  return 0;
}
int elapsed(float* milliseconds, Event, Event) {
  *milliseconds = 1;
  return state();
}

int copy_to_device(Queue queue, void* to, const void* from, std::size_t bytes) {
  const std::lock_guard lock(world().lock);
  if (bytes == 0) return 0;
  if (!on_device(to, bytes)) return kInvalidValue;
  if (queue->capture != nullptr && !is_pinned(from, bytes)) return refuse_in_capture();
  return submit(queue, [=] { std::memcpy(to, from, bytes); });
}
int copy_to_host(Queue queue, void* to, const void* from, std::size_t bytes) {
  const std::lock_guard lock(world().lock);
  if (bytes == 0) return 0;
  if (!on_device(from, bytes)) return kInvalidValue;
  if (is_pinned(to, bytes)) return submit(queue, [=] { std::memcpy(to, from, bytes); });
  if (const int error = finish(queue); error != 0) return error;
  std::memcpy(to, from, bytes);
  return 0;
}
int copy_on_device(Queue queue, void* to, const void* from, std::size_t bytes) {
  const std::lock_guard lock(world().lock);
  if (bytes == 0) return 0;
  if (!on_device(to, bytes) || !on_device(from, bytes)) return kInvalidValue;
  return submit(queue, [=] { std::memcpy(to, from, bytes); });
}
int zero(Queue queue, void* to, std::size_t bytes) {
  const std::lock_guard lock(world().lock);
  if (bytes == 0) return 0;
  if (!on_device(to, bytes)) return kInvalidValue;
  return submit(queue, [=] { std::memset(to, 0, bytes); });
}

int begin_capture(Queue queue) {
  const std::lock_guard lock(world().lock);
  if (const int error = state(); error != 0) return error;
  if (queue->capture != nullptr) return kIllegalState;
  current_capture = queue->capture = std::make_shared<Capture>();
  queue->capture->origin = queue;
  return 0;
}
int end_capture(Queue queue, Graph* graph) {
  const std::lock_guard lock(world().lock);
  const std::shared_ptr<Capture> capture = std::move(queue->capture);
  if (capture == nullptr || capture->origin != queue) return kIllegalState;
  queue->capture.reset();
  current_capture.reset();
  std::vector<bool> joined(capture->nodes.size());
  for (const std::size_t tip : std::exchange(queue->tips, {})) joined[tip] = true;
  for (std::size_t i = joined.size(); i-- > 0;) {
    if (!joined[i]) continue;
    for (const std::size_t before : capture->nodes[i].after) joined[before] = true;
  }
  for (CUstream_st* const other : world().queues) {
    if (other->capture != capture) continue;
    other->capture.reset();
    other->tips.clear();
  }
  if (const int error = state(); error != 0) return error;
  if (capture->broken) return kCaptureUnsupported;
  if (std::find(joined.begin(), joined.end(), false) != joined.end()) return kCaptureUnjoined;
  if (graph == nullptr) return 0;
  if (world().failing != 0 && --world().failing == 0) return kMemoryAllocation;
  *graph = new CUgraphExec_st{std::move(capture->nodes)};
  return 0;
}
int launch(Queue queue, Graph graph) {
  const std::lock_guard lock(world().lock);
  ++world().counts.launches;
  --world().counts.operations;
  return submit(queue, [graph] {
    // In any order that the nodes allow: the first that may run, or the last.
    const bool first = ++graph->launches % 2 == 1;
    std::vector<bool> done(graph->nodes.size());
    for (std::size_t left = done.size(); left > 0; --left) {
      std::size_t chosen = done.size();
      for (std::size_t i = 0; i < done.size(); ++i) {
        const auto& after = graph->nodes[i].after;
        if (done[i] || !std::all_of(after.begin(), after.end(), [&](std::size_t j) { return done[j]; })) continue;
        chosen = i;
        if (first) break;
      }
      graph->nodes[chosen].work();
      done[chosen] = true;
    }
  });
}
int destroy_graph(Graph graph) {
  delete graph;
  return 0;
}

}  // namespace rvm::detail::cuda
