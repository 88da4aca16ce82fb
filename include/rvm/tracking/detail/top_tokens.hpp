#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace rvm::detail {

/// The tokens most like a query so far, best first, in memory of the caller's. Of equals the one with the lower id is
/// better, so that the order in which tokens are offered makes no difference.
class TopTokens {
 public:
  struct Token {
    float score;
    std::uint32_t id;
  };

  TopTokens() = default;
  /// None yet, and at most `capacity`, which is at least 1.
  TopTokens(Token* tokens, std::size_t capacity) : tokens_(tokens), capacity_(capacity) {}

  std::size_t size() const noexcept { return size_; }
  const Token& operator[](std::size_t i) const noexcept { return tokens_[i]; }

  /// The score that a token needs to be taken: with less it is not.
  float least() const noexcept {
    if (size_ == 0 || size_ < capacity_) return -std::numeric_limits<float>::infinity();
    return tokens_[size_ - 1].score;
  }

  /// Takes a token if it is among the best. False if it is not.
  bool offer(float score, std::uint32_t id) noexcept {
    const auto better = [&](const Token& other) {
      return score > other.score || (score == other.score && id < other.id);
    };
    if (size_ == capacity_) {
      if (!better(tokens_[size_ - 1])) return false;
    } else {
      ++size_;
    }
    std::size_t place = size_ - 1;
    for (; place > 0 && better(tokens_[place - 1]); --place) tokens_[place] = tokens_[place - 1];
    tokens_[place] = {score, id};
    return true;
  }

 private:
  Token* tokens_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace rvm::detail
