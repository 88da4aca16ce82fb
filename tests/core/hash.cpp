#include <rvm/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("a hash is the same everywhere and for ever") {
  const std::vector<std::byte> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5},
                                     std::byte{6}, std::byte{7}, std::byte{8}, std::byte{9}};
  CHECK(rvm::hash_bytes({}) == 0);
  CHECK(rvm::hash_bytes(bytes) == 0xce3a67df663c5749U);
  CHECK(rvm::hash_bytes(std::span(bytes).first(8)) == 0x13e519cda2a733aU);
  CHECK(rvm::hash_bytes(std::span(bytes).first(1), 42) == 0x41f3b9ebebbfd848U);
}

TEST_CASE("hashes of different bytes differ") {
  std::set<std::uint64_t> seen;
  std::vector<std::byte> bytes(20);
  seen.insert(rvm::hash_bytes(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) seen.insert(rvm::hash_bytes(std::span(bytes).first(size)));
  for (std::byte& byte : bytes) {
    for (unsigned bit = 1; bit < 256; bit *= 2) {
      byte ^= static_cast<std::byte>(bit);
      seen.insert(rvm::hash_bytes(bytes));
      byte ^= static_cast<std::byte>(bit);
    }
  }
  seen.insert(rvm::hash_bytes(bytes, 1));
  CHECK(seen.size() == 1 + 20 + 160 + 1);
}
