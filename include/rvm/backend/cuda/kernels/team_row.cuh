#pragma once

#include <rvm/backend/cuda/kernels/device.cuh>

namespace rvm::detail::cuda {

/// One row of numbers, read by kThreads threads together: a warp, or all of a block. Vector i of a thread begins at
/// column (i kThreads + thread) kVector. With kHeld > 0, at most kHeld vectors a thread, they are read once and kept in
/// registers; with kHeld = 0, any number, they are read again in every pass.
///
/// Reader::first(row, column, values) reads for the first time, and may have effects; Reader::again(row, column,
/// values) reads the same again.
template <int kThreads, int kHeld, int kVector, class Reader>
class TeamRow {
 public:
  RVM_DEVICE TeamRow(const Reader& reader, std::size_t row, int width)
      : reader_(reader), row_(row), width_(width), thread_(thread_index() % kThreads) {}

  /// visit(column, values) for each of this thread's vectors; values may be changed, to be kept if they are held.
  template <class Visit>
  RVM_DEVICE void first(Visit visit) {
    if constexpr (kHeld > 0) {
      RVM_UNROLL
      for (int i = 0; i < kHeld; ++i) {
        const int column = (i * kThreads + thread_) * kVector;
        if (column < width_) reader_.first(row_, column, held_[i]);  // all reads are under way before the first use
      }
      again(visit);
    } else {
      for (int column = thread_ * kVector; column < width_; column += kThreads * kVector) {
        float values[kVector];
        reader_.first(row_, column, values);
        visit(column, values);
      }
    }
  }
  template <class Visit>
  RVM_DEVICE void again(Visit visit) {
    if constexpr (kHeld > 0) {
      RVM_UNROLL
      for (int i = 0; i < kHeld; ++i) {
        const int column = (i * kThreads + thread_) * kVector;
        if (column < width_) visit(column, held_[i]);
      }
    } else {
      for (int column = thread_ * kVector; column < width_; column += kThreads * kVector) {
        float values[kVector];
        reader_.again(row_, column, values);
        visit(column, values);
      }
    }
  }

 private:
  const Reader& reader_;
  std::size_t row_;
  int width_;
  int thread_;
  float held_[kHeld > 0 ? kHeld : 1][kVector];
};

}  // namespace rvm::detail::cuda
