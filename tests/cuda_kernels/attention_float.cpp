// Attention in float on the GPU, the code executed here, against plain loops in double.

#include <cstddef>
#include <limits>

#include <rvm/backend/cuda/kernels/attention_float.cuh>

#include "support/catch.hpp"
#include "support/cuda_attention.hpp"

TEST_CASE("attention in float: heads of any width") {
  const std::size_t head_dim = GENERATE(1U, 12U, 16U, 20U, 32U, 48U, 64U, 80U, 100U, 128U);
  test::check_attention<float>({2, 2, head_dim, 19, 37}, head_dim % 3 != 0);
}

TEST_CASE("attention in float: any number of queries and keys") {
  const std::size_t keys = GENERATE(1U, 15U, 16U, 17U, 63U, 64U, 65U, 129U, 257U);
  const std::size_t queries = GENERATE(1U, 31U, 33U, 65U);
  test::check_attention<float>({1, 2, 16, queries, keys}, GENERATE(true, false));
}

TEST_CASE("attention in float: larger blocks, any number of queries and keys") {
  using Block = rvm::detail::cuda::FloatAttentionBlock<16, 64>;
  const std::size_t keys = GENERATE(1U, 17U, 64U, 65U, 129U);
  const std::size_t queries = GENERATE(1U, 63U, 64U, 65U);
  test::check_attention<float, Block>({2, 1, 16, queries, keys}, keys != 17);
}

TEST_CASE("attention in float: many heads") {
  const std::size_t head_dim = GENERATE(12U, 64U, 128U);
  test::check_attention<float>({8, 32, head_dim, 3, 21}, head_dim != 12);
}

TEST_CASE("attention in float of the sizes of frames") {
  test::check_attention<float>({1, 1, 64, 257, 257}, true);
  test::check_attention<float>({1, 1, 48, 40, 1651}, true);
  test::check_attention<float>({1, 1, 80, 40, 1651}, true);
}

TEST_CASE("attention in float whose scores are far apart") {
  test::check_steep_attention<float>(GENERATE(true, false));
}

TEST_CASE("attention in float to what is not finite") {
  test::check_not_finite_attention<float>(
      GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()));
  test::check_infinitely_far_key<float>(GENERATE(0U, 15U, 69U));
}
