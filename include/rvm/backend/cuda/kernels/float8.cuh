#pragma once

#include <rvm/backend/cuda/kernels/device.cuh>

namespace rvm::detail::cuda {

/// y = v / the row's scale, as Float8Scale says. A writer of norms.cuh and quantise.cuh.
struct Float8Writer {
  static constexpr bool kScales = true;
  Rows<Float8> y;
  Float8Scale scale;
  float row_scale = 1.0F;

  template <int kVector>
  struct Operands {};
  template <int kVector>
  RVM_DEVICE void read(std::size_t, int, Operands<kVector>&) const {}
  /// Before any write: `largest` is the row's largest magnitude where a scale is chosen by row.
  RVM_DEVICE void choose_scale(std::size_t row, float largest) {
    if (scale.per_row == nullptr) {
      row_scale = *scale.fixed;
    } else {
      row_scale = largest > 0.0F ? largest / kFloat8Max : 1.0F;
      if (thread_index() == 0) scale.per_row[row] = row_scale;
    }
  }
  template <int kVector>
  RVM_DEVICE void write(std::size_t row, int column, const float (&values)[kVector], const Operands<kVector>&) const {
    float scaled[kVector];
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) scaled[i] = values[i] / row_scale;
    store(scaled, y.row(row) + column);
  }
};

}  // namespace rvm::detail::cuda
