#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <rvm/core/dtype.hpp>
#include <rvm/core/matrix.hpp>

// A dense layer's product on a CPU: rows of tokens times one panel of the packed weights.
namespace rvm::detail {

/// What bytes stand for: (byte - zero) * scale.
struct ByteScale {
  float scale = 0.0F;
  std::int32_t zero = 0;
};

/// What a product with packed weights reads and, where it feeds another product, writes: weights in float, bfloat16 or
/// bytes meet tokens in float, bfloat16 or bytes.
template <class Weight>
using ProductInput = std::conditional_t<std::same_as<Weight, std::int8_t>, std::uint8_t, Weight>;
template <class Weight>
using ProductOutput = std::conditional_t<std::same_as<Weight, std::int8_t>, bfloat16, Weight>;

/// What becomes of the sums: y = sum + bias, y = gelu(sum + bias), wide = sum + bias or wide += sum + bias.
enum class Finish : std::uint8_t { kStore, kGelu, kStoreWide, kAddWide };

/// Some rows times one panel of weights: a panel is a few neighbouring columns of a dense layer, depth by depth in the
/// order in which they are read, `cols` of them in use.
template <class Weight>
struct PanelProduct {
  MatrixView<const ProductInput<Weight>> x;  // [rows, depth], depth a multiple of depth_grain
  const Weight* panel = nullptr;
  std::size_t cols = 0;
  Finish finish = Finish::kStore;
  MatrixView<ProductOutput<Weight>> y;  // [rows, cols], for kStore and kGelu
  MatrixView<float> wide;               // [rows, cols], for kStoreWide and kAddWide
  const float* bias = nullptr;          // [panel_cols]

  // Of bytes alone: the scale of each row, and of each of panel_cols columns its scale and the sum of its bytes.
  const ByteScale* row_scales = nullptr;
  const float* column_scales = nullptr;
  const float* column_sums = nullptr;
};

/// Rows whose sums a product keeps in registers, and rows that one call of ProductKernels::multiply takes at most: a
/// whole number of these, and of the rows of a block of tiles.
inline constexpr std::size_t kTileRows = 6;
inline constexpr std::size_t kProductRowsAtOnce = 48 * kTileRows;

/// A product with packed weights on one instruction set.
template <class Weight>
struct ProductKernels {
  void (*multiply)(const PanelProduct<Weight>& product, float* scratch);
  std::size_t scratch;     // floats of room that `multiply` takes, a thread's own
  std::size_t panel_cols;  // columns of a panel
  std::size_t slot;  // numbers that lie together, neighbours in depth: a panel is [depth / slot, panel_cols, slot]
  std::size_t depth_grain;  // a product's depth is a whole number of these
  std::size_t row_grain;    // rows that are worth keeping together
  int byte_steps;           // the largest byte of a token that products take
};

}  // namespace rvm::detail
