#pragma once

#include <cstddef>

/// What tests ask of, and do to, the emulated GPUs behind rvm/backend/cuda/runtime.hpp.
///
/// Work runs as late as it may: when somebody waits for it, and what nothing orders in a graph, in changing order. So a
/// wait that is missing shows. Device memory is memory of the host, filled with NaN, with guards around it.
namespace cuda_emulation {

/// The last is too old.
inline constexpr int kDevices = 3;

/// The n-th taking of memory from now on fails; 0 for none.
void fail_allocation(std::size_t n);
/// Every call gives this error until the device is revived, as after a reset.
void lose_device(int device, int error);
void revive_device(int device);

struct Counts {
  std::size_t allocations = 0;  // device and pinned memory taken so far
  std::size_t live = 0;         // and not given back
  std::size_t operations = 0;   // kernels and copies asked for one by one
  std::size_t launches = 0;     // graphs
  std::size_t waits = 0;        // of the host
};
Counts counts();

}  // namespace cuda_emulation
