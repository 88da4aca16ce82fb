#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>

struct CUstream_st;

/// A GPU's grid of blocks of threads, executed on the CPU by one thread of it: so that the very code of a kernel can be
/// tested where there is no GPU. A block's threads are fibers; each runs until it must wait for others.
///
/// What it reports, by std::logic_error from run_grid: threads that wait at different places or have left where all
/// must meet (a block's barrier, an operation of a warp), shared memory written out of bounds, misaligned addresses.
/// What it makes visible as wrong results: shared memory read before it is written (it holds NaN), asynchronous copies
/// read before they are waited for (they arrive at the wait, not before), and races (another order of threads gives
/// other results).
namespace cuda_emulation {

/// The order in which blocks, and the threads of a block, run.
enum class Order : std::uint8_t { kForward, kReverse, kShuffled };

/// Of every grid from now on; kForward at first.
void set_order(Order order);

/// Runs body() for every thread of a grid.
void run_grid(std::size_t blocks_x, std::size_t blocks_y, std::size_t blocks_z, int threads, std::size_t shared_bytes,
              const std::function<void()>& body);

/// Who executes what launch() is given: by default at once. For an emulation of streams and graphs.
using Submit = std::function<int(CUstream_st* queue, std::function<void()> work)>;
void set_submit(Submit submit);
int submit(CUstream_st* queue, std::function<void()> work);

// For the thread that runs, inside body().

using Where = std::source_location;

struct Index {
  int thread;
  std::size_t x, y, z;  // of the block
};
const Index& index();
unsigned char* shared_memory();
void meet_block(const Where& where);

/// Meets the other lanes of the warp: when all have come, `together` sees all arguments and results by lane.
using Together = void (*)(const void* const* arguments, void* const* results);
void meet_warp(Together together, const void* argument, void* result, const Where& where);

/// Fails unless `address` is a multiple of `alignment`.
void check_aligned(const void* address, std::size_t alignment, const Where& where);
/// Fails unless the bytes lie in the block's shared memory.
void check_shared(const void* address, std::size_t bytes, const Where& where);

/// A copy that happens when its group is waited for.
void copy_later(void* to, const void* from, std::size_t bytes);
void close_copies();
void wait_for_copies(int still_running);

}  // namespace cuda_emulation
