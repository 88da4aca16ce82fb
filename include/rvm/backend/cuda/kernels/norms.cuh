#pragma once

#include <rvm/backend/cuda/kernels/block_row.cuh>
#include <rvm/backend/cuda/kernels/float8.cuh>

/// Layer norm and what is done in the same pass: a gate or a rounding to Float8 after it. The residual add before it is
/// done where the product that is added ends, in the product's own kernel: x is not read and written once more for it.
/// A block takes a row, reads all that it needs at once into registers, and computes in float: mean, then the squares
/// about it.
///
/// Floor: bytes moved / memory's bandwidth; the arithmetic is some 10 operations a number. Bytes a number of the row, t
/// being the size of T (scale and bias stay in the caches):
///   layer_norm  4 + t     reset_gate  12 + t     update_gate  20
namespace rvm::detail::cuda {

inline constexpr int kNormThreads = 128;

/// Reads x.
struct PlainReader {
  Rows<const float> x;

  template <int kVector>
  RVM_DEVICE void read(std::size_t row, int column, float (&values)[kVector]) const {
    load(x.row(row) + column, values);
  }
};

/// y = v. What a writer needs besides is its Operands, which it reads early.
template <class T>
struct PlainWriter {
  static constexpr bool kScales = false;
  Rows<T> y;

  template <int kVector>
  struct Operands {};
  template <int kVector>
  RVM_DEVICE void read(std::size_t, int, Operands<kVector>&) const {}
  template <int kVector>
  RVM_DEVICE void write(std::size_t row, int column, const float (&values)[kVector], const Operands<kVector>&) const {
    store(values, y.row(row) + column);
  }
};

/// out = sigmoid(a + b) v
template <class T>
struct ResetWriter {
  static constexpr bool kScales = false;
  Rows<const float> a;
  Rows<const float> b;
  Rows<T> out;

  template <int kVector>
  struct Operands {
    float a[kVector];
    float b[kVector];
  };
  template <int kVector>
  RVM_DEVICE void read(std::size_t row, int column, Operands<kVector>& operands) const {
    load(a.row(row) + column, operands.a);
    load(b.row(row) + column, operands.b);
  }
  template <int kVector>
  RVM_DEVICE void write(std::size_t row, int column, const float (&values)[kVector],
                        const Operands<kVector>& operands) const {
    float result[kVector];
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) result[i] = sigmoid(operands.a[i] + operands.b[i]) * values[i];
    store(result, out.row(row) + column);
  }
};

/// next = state + sigmoid(a + b) (v - state)
struct UpdateWriter {
  static constexpr bool kScales = false;
  Rows<const float> a;
  Rows<const float> b;
  Rows<const float> state;
  Rows<float> next;

  template <int kVector>
  struct Operands {
    float a[kVector];
    float b[kVector];
    float state[kVector];
  };
  template <int kVector>
  RVM_DEVICE void read(std::size_t row, int column, Operands<kVector>& operands) const {
    load(a.row(row) + column, operands.a);
    load(b.row(row) + column, operands.b);
    load(state.row(row) + column, operands.state);
  }
  template <int kVector>
  RVM_DEVICE void write(std::size_t row, int column, const float (&values)[kVector],
                        const Operands<kVector>& operands) const {
    float result[kVector];
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) {
      const float before = operands.state[i];
      result[i] = before + sigmoid(operands.a[i] + operands.b[i]) * (values[i] - before);
    }
    store(result, next.row(row) + column);
  }
};

/// A vector's scale and bias of the norm, and what the writer needs.
template <int kVector, class Writer>
struct NormOperands {
  float scale[kVector];
  float bias[kVector];
  typename Writer::template Operands<kVector> more;
};

/// Every row of what `reader` reads, normalised, into `writer`.
template <int kHeld, int kVector, class Reader, class Writer>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(kNormThreads, 1)
    normalise_rows(int width, Reader reader, NormParameters norm, Writer writer) {
  using Row = BlockRow<kNormThreads, kHeld, kVector, Reader>;
  auto* const room = reinterpret_cast<float*>(shared_memory());
  const std::size_t row = block_index_x();
  Row x(reader, row, width);
  NormOperands<kVector, Writer> operands[Row::kSlots];
  const auto read_operands = [&](int i, int column) {
    load(norm.scale + column, operands[i].scale);
    RVM_UNROLL
    for (int j = 0; j < kVector; ++j) operands[i].bias[j] = 0.0F;
    if (norm.bias != nullptr) load(norm.bias + column, operands[i].bias);
    writer.read(row, column, operands[i].more);
  };
  x.read();
  x.for_held(read_operands);

  float sum = 0.0F;
  x.pass([&](int, int, float(&values)[kVector]) {
    RVM_UNROLL
    for (int j = 0; j < kVector; ++j) sum += values[j];
  });
  const float mean = block_sum<kNormThreads>(sum, room) / static_cast<float>(width);
  float squares = 0.0F;
  x.pass([&](int, int, float(&values)[kVector]) {
    RVM_UNROLL
    for (int j = 0; j < kVector; ++j) squares += (values[j] - mean) * (values[j] - mean);
  });
  const float variance = block_sum<kNormThreads>(squares, room + kNormThreads / kWarpSize) / static_cast<float>(width);
  const float inverse = 1.0F / sqrtf(variance + norm.epsilon);
  const auto normalise = [&](int i, int column, const float(&values)[kVector], float(&normed)[kVector]) {
    if constexpr (kHeld == 0) read_operands(i, column);
    RVM_UNROLL
    for (int j = 0; j < kVector; ++j) {
      normed[j] = (values[j] - mean) * inverse * operands[i].scale[j] + operands[i].bias[j];
    }
  };
  if constexpr (Writer::kScales) {
    float largest = 0.0F;
    if (writer.scale.per_row != nullptr) {
      x.pass([&](int i, int column, float(&values)[kVector]) {
        float normed[kVector];
        normalise(i, column, values, normed);
        RVM_UNROLL
        for (int j = 0; j < kVector; ++j) largest = fmaxf(largest, fabsf(normed[j]));
      });
      largest = block_max<kNormThreads>(largest, room + 2 * (kNormThreads / kWarpSize));
    }
    writer.choose_scale(row, largest);
  }
  x.pass([&](int i, int column, float(&values)[kVector]) {
    float normed[kVector];
    normalise(i, column, values, normed);
    writer.write(row, column, normed, operands[i].more);
  });
}

/// `wide`: whether everything may be moved in vectors of 4.
template <class Reader, class Writer>
int launch_norm(CUstream_st* queue, std::size_t rows, std::size_t width, bool wide, const Reader& reader,
                const NormParameters& norm, const Writer& writer) {
  if (rows == 0 || width == 0) return 0;
  const auto go = [&](auto kernel) {
    constexpr std::size_t kRoom = 3 * (kNormThreads / kWarpSize) * sizeof(float);
    return launch(kernel, {rows}, kNormThreads, kRoom, queue, static_cast<int>(width), reader, norm, writer);
  };
  wide = wide && width % 4 == 0 && aligned_for(norm.scale, 0, 4) && aligned_for(norm.bias, 0, 4);
  const std::size_t vectors = ceil_divide(width, 4 * kNormThreads);
  if (wide && vectors <= 1) return go(normalise_rows<1, 4, Reader, Writer>);
  if (wide && vectors <= 2) return go(normalise_rows<2, 4, Reader, Writer>);
  if (wide && vectors <= 3) return go(normalise_rows<3, 4, Reader, Writer>);
  return go(normalise_rows<0, 1, Reader, Writer>);
}

}  // namespace rvm::detail::cuda
