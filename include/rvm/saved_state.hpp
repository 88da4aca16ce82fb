#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rvm/core/detail/bytes.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/hash.hpp>

namespace rvm {

/// A stream's state as bytes, for Stream::save and Stream::restore.
///
/// Layout, little-endian: "RVMSTATE", then 64-bit unsigned numbers: format version, model fingerprint, frame height,
/// frame width, batch, tokens per frame, token width, frames seen by each video of the batch; then the state as float,
/// [batch, tokens, width]; then a 64-bit hash of everything before it.
struct SavedState {
  static constexpr std::uint64_t kVersion = 1;

  std::uint64_t fingerprint = 0;
  std::uint64_t height = 0;
  std::uint64_t width = 0;
  std::uint64_t batch = 0;
  std::uint64_t tokens = 0;
  std::uint64_t token_width = 0;
  std::vector<std::uint64_t> frames;  // [batch]
  std::vector<float> values;          // [batch, tokens, token_width]

  /// Throws std::bad_alloc.
  std::vector<std::byte> to_bytes() const {
    std::vector<std::byte> bytes;
    bytes.reserve((kFixedWords + frames.size() + 2) * sizeof(std::uint64_t) + values.size() * sizeof(float));
    detail::append_text(bytes, kMagic);
    for (const std::uint64_t word : {kVersion, fingerprint, height, width, batch, tokens, token_width}) {
      detail::append_le(bytes, word);
    }
    detail::append_bytes(bytes, std::as_bytes(std::span(frames)));
    detail::append_bytes(bytes, std::as_bytes(std::span(values)));
    detail::append_le(bytes, hash_bytes(bytes));
    return bytes;
  }

  /// Reads `bytes` for a stream like `expected`, whose frames and values are not looked at. Throws StateError, which
  /// says what was expected and what was found, if they are damaged, of another format version, or of another model,
  /// frame size or batch.
  static SavedState from_bytes(std::span<const std::byte> bytes, const SavedState& expected) {
    const std::size_t values = expected.batch * expected.tokens * expected.token_width;
    std::size_t offset = kMagic.size();
    const auto next = [&] {
      offset += sizeof(std::uint64_t);
      return detail::load_le<std::uint64_t>(bytes, offset - sizeof(std::uint64_t));
    };
    if (bytes.size() < (kFixedWords + 1) * sizeof(std::uint64_t)) {
      throw StateError("a saved state is at least " + std::to_string((kFixedWords + 1) * sizeof(std::uint64_t)) +
                       " bytes long, found " + std::to_string(bytes.size()));
    }
    if (!detail::as_text(bytes).starts_with(kMagic)) {
      throw StateError("these bytes are not a saved state: they do not begin with RVMSTATE");
    }
    require("format version", kVersion, next());
    SavedState state;
    state.fingerprint = next();
    state.height = next();
    state.width = next();
    state.batch = next();
    state.tokens = next();
    state.token_width = next();
    if (state.fingerprint != expected.fingerprint) throw StateError("the saved state belongs to another model");
    require("frame height", expected.height, state.height);
    require("frame width", expected.width, state.width);
    require("number of videos", expected.batch, state.batch);
    require("number of tokens", expected.tokens, state.tokens);
    require("token width", expected.token_width, state.token_width);
    require("length in bytes", (kFixedWords + expected.batch + 1) * sizeof(std::uint64_t) + values * sizeof(float),
            bytes.size());

    const std::size_t signed_size = bytes.size() - sizeof(std::uint64_t);
    if (detail::load_le<std::uint64_t>(bytes, signed_size) != hash_bytes(bytes.first(signed_size))) {
      throw StateError("the saved state is damaged: its checksum does not match");
    }
    state.frames.resize(expected.batch);
    std::memcpy(state.frames.data(), bytes.data() + offset, expected.batch * sizeof(std::uint64_t));
    offset += expected.batch * sizeof(std::uint64_t);
    state.values.resize(values);
    std::memcpy(state.values.data(), bytes.data() + offset, values * sizeof(float));
    return state;
  }

 private:
  static constexpr std::string_view kMagic = "RVMSTATE";
  static constexpr std::size_t kFixedWords = 8;  // magic, version, fingerprint, sizes

  static void require(const char* what, std::uint64_t expected, std::uint64_t found) {
    if (expected != found) {
      throw StateError(std::string("the saved state's ") + what + ": expected " + std::to_string(expected) +
                       ", found " + std::to_string(found));
    }
  }
};

}  // namespace rvm
