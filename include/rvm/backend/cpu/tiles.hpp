#pragma once

#include <cstddef>
#include <cstdint>

// Matrix tiles (AMX): eight registers of up to 16 rows of 64 bytes, and products of them.
namespace rvm::detail {

/// Rows of a tile, bytes of its rows, and the numbers of 32 bits that those are.
inline constexpr std::size_t kTileHeight = 16;
inline constexpr std::size_t kTileBytes = 64;
inline constexpr std::size_t kTileWidth = kTileBytes / sizeof(float);

/// What each tile is used for: sums of two by two tiles, two tiles of the left and two of the right operand.
inline constexpr int kSumTile = 0;
inline constexpr int kLeftTile = 4;
inline constexpr int kRightTile = 6;

/// The shapes of all tiles, as the processor reads them.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  TileConfig() = default;
  /// For products of `height` rows, at most two tiles: the second has what the first leaves over.
  explicit TileConfig(std::size_t height) {
    const std::size_t upper = height < kTileHeight ? height : kTileHeight;
    for (int i = 0; i < 2; ++i) {
      const std::size_t part = i == 0 ? upper : height - upper;
      set(kLeftTile + i, part);
      set(kSumTile + 2 * i, part);
      set(kSumTile + 2 * i + 1, part);
      set(kRightTile + i, kTileHeight);
    }
  }

 private:
  void set(int tile, std::size_t height) {
    rows[tile] = static_cast<std::uint8_t>(height);
    row_bytes[tile] = height == 0 ? 0 : kTileBytes;
  }
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace rvm::detail
