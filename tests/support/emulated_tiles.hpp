#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <rvm/backend/cpu/tiles.hpp>

namespace test {

/// A processor's matrix tiles in plain loops, exact to AMX's instructions. What a processor would trap on is counted as
/// a fault. Memory is read and written as the instructions do, so that a sanitizer sees it.
class EmulatedTiles {
 public:
  static void configure(const rvm::detail::TileConfig& config) {
    State& s = state();
    bool valid = config.palette == 1 && config.start_row == 0;
    for (const std::uint8_t byte : config.reserved) valid = valid && byte == 0;
    for (std::size_t t = 0; t < 16; ++t) {
      const bool used = config.rows[t] != 0;
      valid = valid && used == (config.row_bytes[t] != 0) && config.rows[t] <= 16 && config.row_bytes[t] <= 64 &&
              config.row_bytes[t] % 4 == 0 && (t < 8 || !used);
    }
    expect(valid);
    if (!s.configured) ++in_use();
    s.configured = true;
    for (std::size_t t = 0; t < 8; ++t) s.tiles[t] = {config.rows[t], config.row_bytes[t], {}};
  }
  static void release() {
    State& s = state();
    expect(s.configured);
    if (s.configured) --in_use();
    s = {};
  }
  template <int kTile>
  static void zero() {
    Tile& t = tile(kTile);
    t.bytes = {};
  }
  template <int kTile>
  static void load(const char* p, std::size_t stride) {
    Tile& t = tile(kTile);
    expect(t.rows == 1 || stride >= t.row_bytes);
    t.bytes = {};
    for (std::size_t r = 0; r < t.rows; ++r) std::memcpy(t.bytes[r].data(), p + r * stride, t.row_bytes);
  }
  template <int kTile>
  static void store(char* p, std::size_t stride) {
    const Tile& t = tile(kTile);
    expect(t.rows == 1 || stride >= t.row_bytes);
    for (std::size_t r = 0; r < t.rows; ++r) std::memcpy(p + r * stride, t.bytes[r].data(), t.row_bytes);
  }
  /// TDPBF16PS: even and odd products are summed apart from zero on, by fused multiplications; then the two sums are
  /// added, and then what was there. Denormal numbers count as zero, going in and coming out.
  template <int kSums, int kLeft, int kRight>
  static void add_pairs() {
    if (!shapes_fit(kSums, kLeft, kRight)) return;
    Tile& sums = tile(kSums);
    const Tile& left = tile(kLeft);
    const Tile& right = tile(kRight);
    for (std::size_t m = 0; m < sums.rows; ++m) {
      for (std::size_t n = 0; n < sums.row_bytes / 4; ++n) {
        float even = 0;
        float odd = 0;
        for (std::size_t k = 0; k < left.row_bytes / 4; ++k) {
          const auto a = left.at<std::uint32_t>(m, k);
          const auto b = right.at<std::uint32_t>(k, n);
          even = flushed(std::fma(number(a << 16), number(b << 16), even));
          odd = flushed(std::fma(number(a & 0xffff0000U), number(b & 0xffff0000U), odd));
        }
        sums.set(m, n, flushed(flushed(sums.at<float>(m, n)) + flushed(even + odd)));
      }
    }
  }
  /// TDPBUSD: four products of bytes, without a sign on the left and with one on the right; sums wrap around.
  template <int kSums, int kLeft, int kRight>
  static void add_bytes() {
    if (!shapes_fit(kSums, kLeft, kRight)) return;
    Tile& sums = tile(kSums);
    const Tile& left = tile(kLeft);
    const Tile& right = tile(kRight);
    for (std::size_t m = 0; m < sums.rows; ++m) {
      for (std::size_t n = 0; n < sums.row_bytes / 4; ++n) {
        auto sum = sums.at<std::uint32_t>(m, n);
        for (std::size_t k = 0; k < left.row_bytes; ++k) {
          const auto a = static_cast<std::int32_t>(left.bytes[m][k]);
          const auto b = static_cast<std::int32_t>(static_cast<std::int8_t>(right.bytes[k / 4][4 * n + k % 4]));
          sum += static_cast<std::uint32_t>(a * b);
        }
        sums.set(m, n, sum);
      }
    }
  }

  /// Mistakes of all threads so far, and threads whose tiles have not been released.
  static std::atomic<int>& faults() {
    static std::atomic<int> count{0};
    return count;
  }
  static std::atomic<int>& in_use() {
    static std::atomic<int> count{0};
    return count;
  }

 private:
  struct Tile {
    std::size_t rows = 0;
    std::size_t row_bytes = 0;
    std::array<std::array<std::uint8_t, 64>, 16> bytes{};

    template <class T>
    T at(std::size_t row, std::size_t i) const {
      T value;
      std::memcpy(&value, bytes[row].data() + i * sizeof(T), sizeof(T));
      return value;
    }
    template <class T>
    void set(std::size_t row, std::size_t i, T value) {
      std::memcpy(bytes[row].data() + i * sizeof(T), &value, sizeof(T));
    }
  };
  struct State {
    bool configured = false;
    std::array<Tile, 8> tiles{};
  };

  static State& state() {
    thread_local State state;
    return state;
  }
  static void expect(bool holds) {
    if (!holds) ++faults();
  }
  static Tile& tile(int i) {
    Tile& t = state().tiles[static_cast<std::size_t>(i)];
    expect(state().configured && t.rows != 0);
    return t;
  }
  static bool shapes_fit(int sums, int left, int right) {
    const Tile& c = tile(sums);
    const Tile& a = tile(left);
    const Tile& b = tile(right);
    const bool fit = sums != left && sums != right && left != right && c.rows == a.rows && a.row_bytes == 4 * b.rows &&
                     c.row_bytes == b.row_bytes;
    expect(fit);
    return fit;
  }
  static float flushed(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0F, v) : v; }
  static float number(std::uint32_t bits) { return flushed(std::bit_cast<float>(bits)); }
};

}  // namespace test
