#include <rvm/saved_state.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "support/catch.hpp"

namespace {

using Bytes = std::vector<std::byte>;

rvm::SavedState sample() {
  return {0x0123456789abcdefU, 32, 16, 2, 3, 2, {5, 1U << 30}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -0.5F}};
}

rvm::SavedState empty_of(rvm::SavedState state) {
  state.frames.clear();
  state.values.clear();
  return state;
}

void put_word(Bytes& bytes, std::size_t index, std::uint64_t word) {
  std::memcpy(bytes.data() + 8 * index, &word, sizeof(word));
}

/// Makes the checksum fit again.
void sign(Bytes& bytes) {
  const std::uint64_t hash = rvm::hash_bytes(std::span(bytes).first(bytes.size() - 8));
  put_word(bytes, bytes.size() / 8 - 1, hash);
}

std::string refusal(const Bytes& bytes, const rvm::SavedState& expected) {
  try {
    rvm::SavedState::from_bytes(bytes, expected);
  } catch (const rvm::StateError& error) {
    return error.what();
  }
  return "taken";
}

}  // namespace

TEST_CASE("a saved state comes back as it was") {
  const rvm::SavedState state = sample();
  const Bytes bytes = state.to_bytes();
  CHECK(bytes.size() == 8 * (8 + 2 + 6 + 1));
  const rvm::SavedState back = rvm::SavedState::from_bytes(bytes, empty_of(state));
  CHECK(back.fingerprint == state.fingerprint);
  CHECK(back.frames == state.frames);
  CHECK(back.values == state.values);
  CHECK(back.height == 32);
  CHECK(back.width == 16);
}

TEST_CASE("the format of a saved state does not change unnoticed") {
  const Bytes bytes = sample().to_bytes();
  const auto word = [&](std::size_t index) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + 8 * index, sizeof(value));
    return value;
  };
  CHECK(std::memcmp(bytes.data(), "RVMSTATE", 8) == 0);
  CHECK(word(1) == 1);
  CHECK(word(2) == 0x0123456789abcdefU);
  CHECK(word(7) == 2);
  CHECK(word(9) == 1U << 30);
  CHECK(word(10) == 0x400000003f800000U);  // 1.0F, 2.0F
  CHECK(word(16) == 0xb90c56a120cc9bc2U);
}

TEST_CASE("a damaged saved state is refused, whichever byte it is") {
  const Bytes bytes = sample().to_bytes();
  const rvm::SavedState expected = empty_of(sample());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned flip : {1U, 0x80U}) {
      Bytes damaged = bytes;
      damaged[i] ^= static_cast<std::byte>(flip);
      CAPTURE(i, flip);
      CHECK_THROWS_AS(rvm::SavedState::from_bytes(damaged, expected), rvm::StateError);
    }
  }
}

TEST_CASE("a saved state that was cut off or extended is refused") {
  const Bytes bytes = sample().to_bytes();
  const rvm::SavedState expected = empty_of(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK_THROWS_AS(rvm::SavedState::from_bytes(std::span(bytes).first(size), expected), rvm::StateError);
  }
  Bytes longer = bytes;
  longer.resize(bytes.size() + 8);
  CHECK_THAT(refusal(longer, expected), ContainsSubstring("length in bytes: expected 136, found 144"));
  CHECK_THAT(refusal({}, expected), ContainsSubstring("at least 72 bytes long, found 0"));
}

TEST_CASE("a saved state says why it cannot be taken") {
  const Bytes bytes = sample().to_bytes();
  const rvm::SavedState expected = empty_of(sample());
  const auto with_word = [&](std::size_t index, std::uint64_t word) {
    Bytes changed = bytes;
    put_word(changed, index, word);
    sign(changed);
    return refusal(changed, expected);
  };
  CHECK_THAT(with_word(0, 0), ContainsSubstring("RVMSTATE"));
  CHECK_THAT(with_word(1, 2), ContainsSubstring("format version: expected 1, found 2"));
  CHECK_THAT(with_word(2, 1), ContainsSubstring("another model"));
  CHECK_THAT(with_word(3, 48), ContainsSubstring("frame height: expected 32, found 48"));
  CHECK_THAT(with_word(4, 32), ContainsSubstring("frame width: expected 16, found 32"));
  CHECK_THAT(with_word(5, 1), ContainsSubstring("number of videos: expected 2, found 1"));
  CHECK_THAT(with_word(6, 4), ContainsSubstring("number of tokens: expected 3, found 4"));
  CHECK_THAT(with_word(7, 4), ContainsSubstring("token width: expected 2, found 4"));
  CHECK(with_word(8, 6) == "taken");
  Bytes damaged = bytes;
  damaged[100] ^= std::byte{1};
  CHECK_THAT(refusal(damaged, expected), ContainsSubstring("checksum"));
}
