#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// CUDA's own handles: cudaStream_t, cudaEvent_t and cudaGraphExec_t are pointers to these.
struct CUstream_st;
struct CUevent_st;
struct CUgraphExec_st;

/// What the backend needs of CUDA, declared without CUDA's headers, so that a host is compiled by any C++ compiler;
/// defined in library/, in the library rvm::cuda.
///
/// Functions give CUDA's error, 0 for success, unless they say otherwise, and throw nothing. They act on the calling
/// thread's device (enter_device). All may be called from several threads.
namespace rvm::detail::cuda {

using Queue = CUstream_st*;
using Event = CUevent_st*;
using Graph = CUgraphExec_st*;

/// "cudaErrorInvalidValue", and CUDA's explanation.
const char* error_name(int error) noexcept;
const char* error_text(int error) noexcept;
/// Memory is used up, and nothing else is wrong.
bool is_out_of_memory(int error) noexcept;
/// The device answers every later call of this process with this error.
bool is_lost(int error) noexcept;

/// What a device is.
struct Properties {
  char name[256] = {};
  int major = 0;  // compute capability
  int minor = 0;
  int multiprocessors = 0;
  std::size_t memory = 0;  // bytes
  std::size_t cache = 0;   // bytes of L2
};
/// No driver, or no device, is 0 devices and no error.
int count_devices(int* count);
int describe_device(int device, Properties* properties);
/// Makes a device the calling thread's; `previous` is the one before, to be made it again.
int enter_device(int device, int* previous);
int leave_device(int previous);

/// Device memory, for any type; release waits for work that may use it.
int allocate(void** memory, std::size_t bytes);
int release(void* memory);
/// Host memory that copies go to and from without waiting, and that kernels can read.
int allocate_pinned(void** memory, std::size_t bytes);
int release_pinned(void* memory);

/// A queue of work that runs beside other queues; where both could, what is in one that comes `first` begins before the
/// rest, in graphs too.
int make_queue(Queue* queue, bool first);
int destroy_queue(Queue queue);
/// Waits until a queue has done everything.
int finish(Queue queue);
int make_event(Event* event, bool timed);
int destroy_event(Event event);
/// The event happens when the queue has done what is in it so far.
int record(Event event, Queue queue);
/// What comes later in the queue waits for the event.
int wait_for(Queue queue, Event event);
int finish(Event event);
/// Milliseconds between two timed events.
int elapsed(float* milliseconds, Event first, Event last);

/// Copies of bytes, in the order of the queue. Host memory that is not pinned is written until the function returns,
/// but may be read until the copy is done.
int copy_to_device(Queue queue, void* to, const void* from, std::size_t bytes);
int copy_to_host(Queue queue, void* to, const void* from, std::size_t bytes);
int copy_on_device(Queue queue, void* to, const void* from, std::size_t bytes);
int zero(Queue queue, void* to, std::size_t bytes);

/// What this thread puts into the queue, and into queues that wait for it, is written down instead of done.
int begin_capture(Queue queue);
/// Ends that. `graph` is ready to be launched; with null, what was written down is dropped.
int end_capture(Queue queue, Graph* graph);
int launch(Queue queue, Graph graph);
int destroy_graph(Graph graph);

/// The number types of products.
enum class Type : std::uint8_t { kFloat32, kBfloat16, kFloat16, kFloat8 };

/// y = x w + bias for row-major x [rows, in] and y [rows, out]; then GELU, or added to what y holds.
struct Product {
  std::size_t rows = 0;
  std::size_t in = 0;
  std::size_t out = 0;
  Type type = Type::kFloat32;    // of x and w
  Type result = Type::kFloat32;  // of y and bias
  bool gelu = false;
  bool accumulate = false;

  const void* x = nullptr;
  std::size_t x_stride = 0;  // elements
  const void* w = nullptr;   // [out, in], contiguous
  const void* bias = nullptr;
  void* y = nullptr;
  std::size_t y_stride = 0;
  const float* x_scales = nullptr;  // [rows] and
  const float* w_scales = nullptr;  // [out]: factors of what kFloat8 stores
};

/// The products of one device, and how each shape is computed: chosen when the process first sees it there, and kept
/// for all that the process makes, so that they give the same bits. For several threads.
struct Products;
/// Scratch that a product may use on a device of this major compute capability, in bytes; one for every queue.
constexpr std::size_t product_scratch(int major) {
  return std::size_t{major >= 9 ? 32U : 16U} << 20;
}
/// With `measure`, the fastest of what the library proposes; else its first proposal.
int make_products(Products** products, bool measure);
void destroy_products(Products* products) noexcept;
/// From now on nothing is measured in this process, whatever it asks for: for tools that look at every instruction.
void measure_nothing() noexcept;
/// Chooses, if that has not been done. Reads the sizes, and how addresses are aligned; allocates, and waits, for what
/// is in the queues `busy` too, so that nothing of the caller's runs beside what is measured.
int prepare(Products& products, std::span<const Queue> busy, const Product& product);
/// The product; `scratch` is product_scratch() bytes of device memory. Sizes must have been prepared.
int multiply(Products& products, Queue queue, void* scratch, const Product& product);
/// A line about how a prepared product is computed and how long that took: "algorithm 3 of 8, 12.3 us". Empty if it has
/// not been prepared. `size` includes the end.
void explain(Products& products, const Product& product, char* text, std::size_t size) noexcept;

}  // namespace rvm::detail::cuda
