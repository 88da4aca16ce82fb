// Attention on the GPU's tensor cores, the code executed here, against plain loops in double.

#include <cstddef>
#include <limits>

#include <rvm/backend/cuda/kernels/attention.cuh>

#include "support/catch.hpp"
#include "support/cuda_attention.hpp"

using rvm::bfloat16;
using rvm::float16;

TEMPLATE_TEST_CASE("attention of few queries: heads of any width", "", bfloat16, float16) {
  const std::size_t head_dim = GENERATE(1U, 8U, 12U, 16U, 24U, 32U, 48U, 64U, 80U, 100U, 128U);
  test::check_attention<TestType>({2, 2, head_dim, 19, 37}, head_dim % 3 != 0);
}

TEMPLATE_TEST_CASE("attention of few queries: any number of keys", "", bfloat16, float16) {
  const std::size_t keys = GENERATE(1U, 7U, 15U, 16U, 17U, 31U, 33U, 127U, 128U, 129U, 257U, 300U);
  const std::size_t queries = GENERATE(1U, 16U, 33U);
  test::check_attention<TestType>({1, 2, 16, queries, keys}, GENERATE(true, false));
}

TEMPLATE_TEST_CASE("attention of many queries: heads of any width", "", bfloat16, float16) {
  const std::size_t head_dim = GENERATE(12U, 32U, 48U, 64U, 80U, 128U);
  test::check_attention<TestType>({4, 32, head_dim, 5, 19}, head_dim != 12);
}

TEMPLATE_TEST_CASE("attention of many queries: any number of queries and keys", "", bfloat16, float16) {
  using Block = rvm::detail::cuda::ManyQueries<16>;
  const std::size_t keys = GENERATE(1U, 16U, 17U, 63U, 64U, 65U, 129U, 257U);
  const std::size_t queries = GENERATE(1U, 17U, 33U, 129U, 140U);
  test::check_attention<TestType, Block>({2, 1, 16, queries, keys}, keys != 17);
}

TEMPLATE_TEST_CASE("attention of some queries: any number of queries and keys", "", bfloat16, float16) {
  using Block = rvm::detail::cuda::SomeQueries<16>;
  const std::size_t keys = GENERATE(1U, 17U, 32U, 33U, 63U, 65U, 129U);
  const std::size_t queries = GENERATE(1U, 33U, 65U);
  test::check_attention<TestType, Block>({2, 1, 16, queries, keys}, keys != 17);
}

TEST_CASE("attention of some queries: heads of any width") {
  const std::size_t head_dim = GENERATE(32U, 48U, 64U, 80U, 128U);
  test::check_attention<bfloat16>({2, 32, head_dim, 66, 19}, true);
}

TEST_CASE("attention of the sizes of frames") {
  test::check_attention<bfloat16>({1, 2, 64, 257, 257}, true);
  test::check_attention<bfloat16>({1, 1, 48, 40, 1651}, true);
  test::check_attention<float16>({1, 1, 80, 40, 1651}, true);
  test::check_attention<bfloat16, rvm::detail::cuda::ManyQueries<64>>({1, 2, 64, 257, 257}, true);
  test::check_attention<bfloat16, rvm::detail::cuda::ManyQueries<80>>({1, 1, 80, 40, 1651}, true);
}

TEMPLATE_TEST_CASE("attention whose scores are far apart", "", bfloat16, float16) {
  test::check_steep_attention<TestType>(GENERATE(true, false));
}

TEMPLATE_TEST_CASE("attention to what is not finite", "", bfloat16, float16) {
  test::check_not_finite_attention<TestType>(
      GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()));
  test::check_infinitely_far_key<TestType>(GENERATE(0U, 31U, 69U));
}
