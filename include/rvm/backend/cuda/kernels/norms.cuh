#pragma once

#include <rvm/backend/cuda/kernels/team_row.cuh>

/// Layer norm and what is done in the same pass: a residual add before it, a gate or a rounding to Float8 after it.
/// A warp takes a row, keeps it in registers, and computes in float: mean, then the squares about it.
///
/// Floor: bytes moved / memory's bandwidth; the arithmetic is some 10 operations a number. Bytes a number of the row, t
/// being the size of T (scale and bias stay in the caches):
///   layer_norm      4 + t         add_layer_norm  8 + 2 t
///   reset_gate      12 + t        update_gate     20
namespace rvm::detail::cuda {

inline constexpr int kNormWarps = 2;  // of a block: few, so that the rows of one frame already fill the device

/// Reads x.
struct PlainReader {
  Rows<const float> x;

  template <int kVector>
  RVM_DEVICE void first(std::size_t row, int column, float (&values)[kVector]) const {
    load(x.row(row) + column, values);
  }
  template <int kVector>
  RVM_DEVICE void again(std::size_t row, int column, float (&values)[kVector]) const {
    load(x.row(row) + column, values);
  }
};

/// Reads x + (addend + bias), and stores it in x.
template <class T>
struct AddingReader {
  Rows<float> x;
  Rows<const T> addend;
  const float* bias;

  template <int kVector>
  RVM_DEVICE void first(std::size_t row, int column, float (&values)[kVector]) const {
    float more[kVector];
    float shift[kVector] = {};
    load(x.row(row) + column, values);
    load(addend.row(row) + column, more);
    if (bias != nullptr) load(bias + column, shift);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] += more[i] + shift[i];
    store(values, x.row(row) + column);
  }
  template <int kVector>
  RVM_DEVICE void again(std::size_t row, int column, float (&values)[kVector]) const {
    load(static_cast<const float*>(x.row(row)) + column, values);
  }
};

/// y = v
template <class T>
struct PlainWriter {
  static constexpr bool kScales = false;
  Rows<T> y;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column, const float (&values)[kVector]) const {
    store(values, y.row(row) + column);
  }
};

/// y = v / scale of the row
struct Float8Writer {
  static constexpr bool kScales = true;
  Rows<Float8> y;
  Float8Scale scale;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column, const float (&values)[kVector], float row_scale) const {
    float scaled[kVector];
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) scaled[i] = values[i] / row_scale;
    store(scaled, y.row(row) + column);
  }
};

RVM_DEVICE float float8_scale(float largest) {
  return largest > 0.0F ? largest / kFloat8Max : 1.0F;
}

/// out = sigmoid(a + b) v
template <class T>
struct ResetWriter {
  static constexpr bool kScales = false;
  Rows<const float> a;
  Rows<const float> b;
  Rows<T> out;

  template <int kVector>
  RVM_DEVICE void operator()(std::size_t row, int column, const float (&values)[kVector]) const {
    float input[kVector];
    float gate[kVector];
    load(a.row(row) + column, input);
    load(b.row(row) + column, gate);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) gate[i] = sigmoid(input[i] + gate[i]) * values[i];
    store(gate, out.row(row) + column);
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
  RVM_DEVICE void operator()(std::size_t row, int column, const float (&values)[kVector]) const {
    float input[kVector];
    float gate[kVector];
    float before[kVector];
    load(a.row(row) + column, input);
    load(b.row(row) + column, gate);
    load(state.row(row) + column, before);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) before[i] += sigmoid(input[i] + gate[i]) * (values[i] - before[i]);
    store(before, next.row(row) + column);
  }
};

/// Every row of what `reader` reads, normalised, into `writer`.
template <int kHeld, int kVector, class Reader, class Writer>
RVM_KERNEL void RVM_LAUNCH_BOUNDS(kNormWarps* kWarpSize, 1)
    normalise_rows(std::size_t rows, int width, Reader reader, NormParameters norm, Writer writer) {
  const int warp = thread_index() / kWarpSize;
  const std::size_t row = block_index_x() * kNormWarps + static_cast<std::size_t>(warp);
  if (row >= rows) return;
  TeamRow<kWarpSize, kHeld, kVector, Reader> x(reader, row, width);
  float sum = 0.0F;
  x.first([&](int, float(&values)[kVector]) {
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) sum += values[i];
  });
  const float mean = warp_sum(sum) / static_cast<float>(width);
  float squares = 0.0F;
  x.again([&](int, float(&values)[kVector]) {
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) squares += (values[i] - mean) * (values[i] - mean);
  });
  const float inverse = 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(width) + norm.epsilon);
  const auto normalise = [&](int column, float(&values)[kVector]) {
    float scale[kVector];
    float bias[kVector] = {};
    load(norm.scale + column, scale);
    if (norm.bias != nullptr) load(norm.bias + column, bias);
    RVM_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = (values[i] - mean) * inverse * scale[i] + bias[i];
  };
  if constexpr (Writer::kScales) {
    float row_scale = 0.0F;
    if (writer.scale.per_row != nullptr) {
      float largest = 0.0F;
      x.again([&](int column, float(&values)[kVector]) {
        float normed[kVector];
        RVM_UNROLL
        for (int i = 0; i < kVector; ++i) normed[i] = values[i];
        normalise(column, normed);
        RVM_UNROLL
        for (int i = 0; i < kVector; ++i) largest = fmaxf(largest, fabsf(normed[i]));
      });
      row_scale = float8_scale(warp_max(largest));
      if (thread_index() % kWarpSize == 0) writer.scale.per_row[row] = row_scale;
    } else {
      row_scale = *writer.scale.fixed;
    }
    x.again([&](int column, float(&values)[kVector]) {
      normalise(column, values);
      writer(row, column, values, row_scale);
    });
  } else {
    x.again([&](int column, float(&values)[kVector]) {
      normalise(column, values);
      writer(row, column, values);
    });
  }
}

/// `wide`: whether everything may be moved in vectors of 4.
template <class Reader, class Writer>
int launch_norm(CUstream_st* queue, std::size_t rows, std::size_t width, bool wide, const Reader& reader,
                const NormParameters& norm, const Writer& writer) {
  if (rows == 0 || width == 0) return 0;
  const auto go = [&](auto kernel) {
    return launch(kernel, {ceil_divide(rows, kNormWarps)}, kNormWarps * kWarpSize, 0, queue, rows,
                  static_cast<int>(width), reader, norm, writer);
  };
  wide = wide && width % 4 == 0 && aligned_for(norm.scale, 0, 4) && aligned_for(norm.bias, 0, 4);
  const std::size_t vectors = ceil_divide(width, 4 * kWarpSize);
  if (wide && vectors <= 4) return go(normalise_rows<4, 4, Reader, Writer>);
  if (wide && vectors <= 8) return go(normalise_rows<8, 4, Reader, Writer>);
  if (wide && vectors <= 12) return go(normalise_rows<12, 4, Reader, Writer>);
  return go(normalise_rows<0, 1, Reader, Writer>);
}

}  // namespace rvm::detail::cuda
