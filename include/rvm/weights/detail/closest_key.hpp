#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rvm::detail {

/// How many insertions, deletions and replacements of characters turn one text into the other.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// The key that looks most like `key`, or nothing if none is close or the search would take long.
inline std::string closest_key(std::string_view key, const std::vector<std::string>& keys) {
  constexpr std::size_t kMaxKeys = 2'000;
  constexpr std::size_t kMaxLength = 200;
  if (keys.size() > kMaxKeys || key.size() > kMaxLength) return {};
  std::size_t best = key.size() / 2 + 1;
  std::string closest;
  for (const std::string& candidate : keys) {
    if (candidate.size() > kMaxLength) continue;
    const std::size_t distance = edit_distance(key, candidate);
    if (distance < best) {
      best = distance;
      closest = candidate;
    }
  }
  return closest;
}

}  // namespace rvm::detail
