#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rvm/core/detail/bytes.hpp>
#include <rvm/core/error.hpp>
#include <rvm/weights/reader.hpp>
#include <rvm/weights/weights.hpp>

// libFuzzer's own mutation of plain bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// What the fuzz targets share. A target's one function is LLVMFuzzerTestOneInput; those that know the format have
/// LLVMFuzzerCustomMutator besides.
namespace fuzz {

using Bytes = std::vector<std::byte>;

constexpr const char* kName = "input";

/// The input in memory of its exact size, so that a read beyond it is noticed.
inline Bytes bytes_of(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  return {bytes.begin(), bytes.end()};
}

/// Ends the program, as a crash does.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// An error must be one line that names the input.
inline void check(const rvm::Error& error) {
  const std::string_view what = error.what();
  require(what.starts_with(kName) && what.size() < 2000);
  require(std::none_of(what.begin(), what.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }));
}

/// Reads every array: its values as float, and as a model would.
inline void read_all(const rvm::Weights& weights) {
  rvm::WeightReader reader(weights);
  for (const std::string& key : weights.keys()) {
    try {
      const rvm::WeightArray array = weights.at(key);
      array.verify();
      require(array.bytes().size() == array.shape().elements() * rvm::size_of(array.dtype()));
      const rvm::Tensor<float> values = reader.read(key, array.shape());
      require(rvm::detail::all_finite(values.data(), values.size()));
    } catch (const rvm::Error& error) {
      check(error);
    }
    weights.discard(key);
  }
}

/// Decisions of a mutator, which follow its seed alone.
class Chance {
 public:
  explicit Chance(unsigned seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}

  std::uint64_t bits() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 32;
  }
  /// In [0, n).
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T, std::size_t kCount>
  T pick(const std::array<T, kCount>& values) {
    return values[below(kCount)];
  }
  /// A number where parsers err: an end of a range, or near `value`.
  std::uint64_t number(std::uint64_t value) {
    constexpr std::array<std::uint64_t, 14> kEnds{0,
                                                  1,
                                                  0xffff,
                                                  0x10000,
                                                  0x7fffffff,
                                                  0x80000000,
                                                  0xfffffffe,
                                                  0xffffffff,
                                                  0x100000000,
                                                  1U << 16 | 1U,
                                                  std::numeric_limits<std::uint64_t>::max(),
                                                  std::numeric_limits<std::uint64_t>::max() - 1,
                                                  std::uint64_t{1} << 62,
                                                  std::uint64_t{1} << 63};
    switch (below(3)) {
      case 0: return pick(kEnds);
      case 1: return value + below(9) - 4;
      default: return value ^ (std::uint64_t{1} << below(34));
    }
  }

 private:
  std::uint64_t state_;
};

/// The bytes as libFuzzer changes them, at most `most` of them.
inline Bytes mutated(const Bytes& bytes, std::size_t most) {
  std::vector<std::uint8_t> room(std::max<std::size_t>({most, bytes.size(), 1}));
  if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
  const std::size_t size = LLVMFuzzerMutate(room.data(), bytes.size(), room.size());
  return bytes_of(room.data(), std::min(size, most));
}

/// Hands a mutant back: as much of it as there is room for.
inline std::size_t give(const Bytes& mutant, std::uint8_t* data, std::size_t max_size) {
  const std::size_t size = std::min(mutant.size(), max_size);
  if (size != 0) std::memcpy(data, mutant.data(), size);
  return size;
}

/// Changes one number or one word of a header's text; the words are those that such a header has.
template <std::size_t kCount>
std::string reworded(std::string text, const std::array<std::string_view, kCount>& words, Chance& chance) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_digit(text[i]) && (i == 0 || !is_digit(text[i - 1]))) numbers.push_back(i);
  }
  if (!numbers.empty() && chance.one_in(2)) {
    const std::size_t begin = numbers[chance.below(numbers.size())];
    std::size_t end = begin;
    while (end < text.size() && is_digit(text[end])) ++end;
    const std::uint64_t value = std::strtoull(text.substr(begin, end - begin).c_str(), nullptr, 10);
    return text.replace(begin, end - begin, std::to_string(chance.number(value)));
  }
  const std::string_view word = chance.pick(words);
  const std::size_t at = chance.below(text.size() + 1);
  if (chance.one_in(2)) return text.insert(at, word);
  return text.replace(at, std::min(word.size(), text.size() - at), word);
}

}  // namespace fuzz
