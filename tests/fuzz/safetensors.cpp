#include <rvm/weights/safetensors.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <rvm/core/detail/bytes.hpp>

#include "fuzz.hpp"

namespace {

/// Another header, or other bytes behind it; the length in front is made to fit, mostly.
fuzz::Bytes mutated_safetensors(const fuzz::Bytes& file, std::size_t most, fuzz::Chance& chance) {
  using rvm::detail::as_text;
  constexpr std::array<std::string_view, 20> kWords{"\"a\":",
                                                    "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}",
                                                    "\"dtype\":",
                                                    "\"shape\":",
                                                    "\"data_offsets\":",
                                                    "\"__metadata__\":{},",
                                                    "\"F32\"",
                                                    "\"BF16\"",
                                                    "\"BOOL\"",
                                                    "\"I64\"",
                                                    "[",
                                                    "]",
                                                    "{",
                                                    "}",
                                                    ",",
                                                    "\"b\":{},",
                                                    "-1",
                                                    "1e3",
                                                    "\\u0000",
                                                    "null"};
  constexpr std::size_t kPrefix = 8;
  if (file.size() < kPrefix) return fuzz::mutated(file, most);
  const auto length = static_cast<std::size_t>(
      std::min<std::uint64_t>(rvm::detail::load_le<std::uint64_t>(file, 0), file.size() - kPrefix));
  std::string text(as_text(std::span(file).subspan(kPrefix, length)));
  fuzz::Bytes data(file.begin() + static_cast<std::ptrdiff_t>(kPrefix + length), file.end());
  switch (chance.below(5)) {
    case 0: {
      const auto* const begin = reinterpret_cast<const std::uint8_t*>(text.data());
      const fuzz::Bytes other = fuzz::mutated(fuzz::bytes_of(begin, text.size()), most / 2);
      text = as_text(other);
      break;
    }
    case 1: data.resize(chance.below(64)); break;
    case 2:
      if (!data.empty()) data = fuzz::mutated(data, data.size());
      break;
    default: text = fuzz::reworded(text, kWords, chance);
  }
  fuzz::Bytes out;
  rvm::detail::append_le(out, chance.one_in(32) ? chance.number(text.size()) : std::uint64_t{text.size()});
  rvm::detail::append_text(out, text);
  rvm::detail::append_bytes(out, data);
  return out;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::Chance chance(seed);
  if (chance.one_in(4)) return LLVMFuzzerMutate(data, size, max_size);
  return fuzz::give(mutated_safetensors(fuzz::bytes_of(data, size), max_size, chance), data, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const rvm::detail::FileBytes file(fuzz::bytes_of(data, size));
    fuzz::read_all(rvm::Weights(std::make_shared<rvm::detail::SafetensorsStore>(fuzz::kName, file)));
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  return 0;
}
