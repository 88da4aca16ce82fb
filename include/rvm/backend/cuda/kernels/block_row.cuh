#pragma once

#include <rvm/backend/cuda/kernels/device.cuh>

namespace rvm::detail::cuda {

/// One row of numbers, taken by a block of kThreads threads together. Vector i of a thread begins at column
/// (i kThreads + thread) kVector. With kHeld > 0, at most kHeld vectors a thread, they are read once and kept in
/// registers; with kHeld = 0, any number, they are read again in every pass.
///
/// Reader::read(row, column, values) reads.
template <int kThreads, int kHeld, int kVector, class Reader>
class BlockRow {
 public:
  static constexpr int kSlots = kHeld > 0 ? kHeld : 1;

  RVM_DEVICE BlockRow(const Reader& reader, std::size_t row, int width) : reader_(reader), row_(row), width_(width) {}

  /// visit(i, column) for the vectors to be held; nothing if none are.
  template <class Visit>
  RVM_DEVICE void for_held(Visit visit) const {
    RVM_UNROLL
    for (int i = 0; i < kHeld; ++i) {
      const int column = (i * kThreads + thread_index()) * kVector;
      if (column < width_) visit(i, column);
    }
  }
  /// Begins to read what is held: all reads are under way before the first is used.
  RVM_DEVICE void read() {
    for_held([&](int i, int column) { reader_.read(row_, column, held_[i]); });
  }
  /// visit(i, column, values) for each vector, i being 0 if they are not held.
  template <class Visit>
  RVM_DEVICE void pass(Visit visit) {
    if constexpr (kHeld > 0) {
      for_held([&](int i, int column) { visit(i, column, held_[i]); });
    } else {
      for (int column = thread_index() * kVector; column < width_; column += kThreads * kVector) {
        float values[kVector];
        reader_.read(row_, column, values);
        visit(0, column, values);
      }
    }
  }

 private:
  const Reader& reader_;
  std::size_t row_;
  int width_;
  float held_[kSlots][kVector];
};

/// Over all threads of a block, which call them together; `room` is shared memory of a number for each warp that
/// nothing else uses.
template <int kThreads>
RVM_DEVICE float block_sum(float value, float* room) {
  value = warp_sum(value);
  if (thread_index() % kWarpSize == 0) room[thread_index() / kWarpSize] = value;
  sync_block();
  value = 0.0F;
  RVM_UNROLL
  for (int warp = 0; warp < kThreads / kWarpSize; ++warp) value += room[warp];
  return value;
}
/// NaN is passed over.
template <int kThreads>
RVM_DEVICE float block_max(float value, float* room) {
  value = warp_max(value);
  if (thread_index() % kWarpSize == 0) room[thread_index() / kWarpSize] = value;
  sync_block();
  RVM_UNROLL
  for (int warp = 0; warp < kThreads / kWarpSize; ++warp) value = fmaxf(value, room[warp]);
  return value;
}

}  // namespace rvm::detail::cuda
