#include <rvm/saved_state.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "fuzz.hpp"

namespace {

/// The stream that the states are for: two videos of 32x16, 3 tokens of 2 numbers.
rvm::SavedState stream() {
  return {7, 32, 16, 2, 3, 2, {}, {}};
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::Chance chance(seed);
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::size_t kHeader = 8 * kWord;
  if (chance.one_in(2) && size >= kHeader) {
    std::uint64_t word = 0;  // of the header
    std::uint8_t* const at = data + kWord * (1 + chance.below(7));
    std::memcpy(&word, at, kWord);
    word = chance.number(word);
    std::memcpy(at, &word, kWord);
  } else {
    size = LLVMFuzzerMutate(data, size, max_size);
  }
  if (size > kWord && !chance.one_in(8)) {
    const std::uint64_t hash = rvm::hash_bytes(std::as_bytes(std::span(data, size - kWord)));
    std::memcpy(data + size - kWord, &hash, kWord);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes = fuzz::bytes_of(data, size);
  try {
    const rvm::SavedState state = rvm::SavedState::from_bytes(bytes, stream());
    fuzz::require(state.frames.size() == 2 && state.values.size() == 12);
    fuzz::require(state.to_bytes() == bytes);
  } catch (const rvm::StateError&) {
  }
  return 0;
}
