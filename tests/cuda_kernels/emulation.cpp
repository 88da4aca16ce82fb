// The emulation of a GPU that the other tests here rest on: what it computes, and that it sees mistakes.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <rvm/backend/cuda/kernels/device.cuh>

#include "support/catch.hpp"
#include "support/cuda_kernels.hpp"
#include "support/random.hpp"
#include "support/sanitized.hpp"

namespace cuda = rvm::detail::cuda;
using cuda_emulation::Order;
using rvm::bfloat16;
using rvm::float16;

namespace {

template <class Body>
void run_body(Body body) {
  body();
}
/// Runs `body` for every thread.
template <class Body>
void run(std::size_t blocks, int threads, std::size_t shared_bytes, Body body) {
  const int error = cuda::launch(run_body<Body>, {blocks, 1, 1}, threads, shared_bytes, nullptr, body);
  REQUIRE(error == 0);
}

/// What run() throws.
template <class Body>
std::string complaint(int threads, std::size_t shared_bytes, Body body) {
  try {
    run(1, threads, shared_bytes, body);
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "nothing";
}

/// Restores the order of threads.
struct Ordered {
  explicit Ordered(Order order) { cuda_emulation::set_order(order); }
  ~Ordered() { cuda_emulation::set_order(Order::kForward); }
};

float* shared_floats() {
  return reinterpret_cast<float*>(cuda::shared_memory());
}

/// Every thread's number moves to the next thread, with or without the barrier that this needs.
std::vector<float> rotated(bool with_barrier) {
  std::vector<float> out(96);
  run(1, 96, 96 * sizeof(float), [=, out = out.data()] {
    const int i = cuda::thread_index();
    shared_floats()[i] = static_cast<float>(i);
    if (with_barrier) cuda::sync_block();
    out[i] = shared_floats()[(i + 1) % 96];
  });
  return out;
}

}  // namespace

TEST_CASE("every thread of every block runs once") {
  const Ordered ordered(GENERATE(Order::kForward, Order::kReverse, Order::kShuffled));
  std::vector<int> runs(6 * 5 * 4 * 64);
  const auto body = [runs = runs.data()] {
    const std::size_t block = cuda::block_index_x() + 6 * (cuda::block_index_y() + 5 * cuda::block_index_z());
    ++runs[block * 64 + static_cast<std::size_t>(cuda::thread_index())];
  };
  REQUIRE(cuda::launch(run_body<decltype(body)>, {6, 5, 4}, 64, 0, nullptr, body) == 0);
  CHECK(runs == std::vector<int>(runs.size(), 1));
}

TEST_CASE("threads meet at a barrier") {
  const Ordered ordered(GENERATE(Order::kForward, Order::kReverse, Order::kShuffled));
  const std::vector<float> out = rotated(true);
  for (std::size_t i = 0; i < 96; ++i) CHECK(out[i] == static_cast<float>((i + 1) % 96));
}

TEST_CASE("a barrier that is missing shows: by NaN, or by another order of threads") {
  const std::vector<float> forward = rotated(false);
  CHECK(std::isnan(forward[0]));  // thread 1 has not written yet
  CHECK(forward[95] == 0.0F);
  const Ordered ordered(Order::kReverse);
  const std::vector<float> reverse = rotated(false);
  CHECK(reverse[0] == 1.0F);
  CHECK(std::isnan(reverse[95]));
}

TEST_CASE("lanes that read what their warp writes must meet first") {
  const auto run_with = [](bool with_barrier) {
    std::vector<float> out(32);
    run(1, 32, 32 * sizeof(float), [=, out = out.data()] {
      const int lane = cuda::thread_index();
      shared_floats()[lane] = static_cast<float>(lane);
      if (with_barrier) cuda::sync_warp();
      out[lane] = shared_floats()[lane ^ 1];
    });
    return out;
  };
  CHECK(run_with(true)[0] == 1.0F);
  CHECK(std::isnan(run_with(false)[0]));
}

TEST_CASE("a warp that reads what another one copies must meet it, or runs ahead") {
  const auto run_with = [](bool with_barrier) {
    alignas(16) static const std::array<float, 4> numbers{1, 2, 3, 4};
    std::vector<float> out(64);
    run(1, 64, 32, [=, out = out.data()] {
      const int warp = cuda::thread_index() / 32;
      if (cuda::thread_index() % 32 == 0) cuda::copy_async(shared_floats() + 4 * warp, numbers.data(), true);
      cuda::commit_async();
      cuda::wait_async<0>();
      if (with_barrier) cuda::sync_block();
      cuda::sync_warp();
      out[cuda::thread_index()] = shared_floats()[4 * (1 - warp)];
    });
    return out;
  };
  CHECK(run_with(true) == std::vector<float>(64, 1.0F));
  CHECK(std::isnan(run_with(false)[0]));
  CHECK(run_with(false)[32] == 1.0F);
}

TEST_CASE("lanes exchange numbers") {
  const Ordered ordered(GENERATE(Order::kForward, Order::kReverse, Order::kShuffled));
  std::vector<float> out(64);
  std::vector<float> sums(64);
  run(1, 64, 0, [out = out.data(), sums = sums.data()] {
    const int i = cuda::thread_index();
    out[i] = cuda::shuffle_xor(static_cast<float>(i), 5);
    sums[i] = cuda::warp_sum(static_cast<float>(i));
  });
  for (std::size_t i = 0; i < 64; ++i) {
    CHECK(out[i] == static_cast<float>(i ^ 5));
    CHECK(sums[i] == (i < 32 ? 496.0F : 1520.0F));
  }
}

TEST_CASE("threads that do not all come to a barrier are reported") {
  CHECK_THAT(complaint(64, 0,
                       [] {
                         if (cuda::thread_index() < 40) cuda::sync_block();
                       }),
             ContainsSubstring("diverge") && ContainsSubstring("thread 40 on: left") &&
                 ContainsSubstring("thread 0 on: waits for its block at emulation.cpp:"));
  const auto two_barriers = [] {  // outside of the macro, where all is one line
    if (cuda::thread_index() < 32) {
      cuda::sync_block();
    } else {
      cuda::sync_block();
    }
  };
  CHECK_THAT(complaint(64, 0, two_barriers), ContainsSubstring("diverge"));
  CHECK_THAT(complaint(32, 0,
                       [] {
                         if (cuda::thread_index() != 7) cuda::shuffle_xor(1.0F, 1);
                       }),
             ContainsSubstring("thread 7 on: left") && ContainsSubstring("waits for its warp"));
  CHECK_THAT(complaint(32, 0,
                       [] {
                         if (cuda::thread_index() < 16) {
                           cuda::sync_warp();
                         } else {
                           cuda::sync_block();
                         }
                       }),
             ContainsSubstring("waits for its block") && ContainsSubstring("waits for its warp"));
  CHECK(complaint(64, 0, [] { cuda::sync_block(); }) == "nothing");
}

TEST_CASE("what a kernel throws comes out, and the next launch is well") {
  CHECK(complaint(32, 0, [] {
          if (cuda::thread_index() == 3) throw std::logic_error("three");
          cuda::sync_block();
        }) == "three");
  CHECK(rotated(true)[0] == 1.0F);
}

TEST_CASE("asynchronous copies arrive when they are waited for") {
  alignas(16) std::array<float, 8> numbers{1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> found(4, -1.0F);
  run(1, 32, 64, [=, &numbers, found = found.data()] {
    if (cuda::thread_index() != 0) return;
    cuda::copy_async(shared_floats(), numbers.data(), true);
    cuda::commit_async();
    cuda::copy_async(shared_floats() + 4, numbers.data() + 4, true);
    cuda::copy_async(shared_floats() + 8, numbers.data(), false);
    cuda::commit_async();
    found[0] = shared_floats()[0];
    cuda::wait_async<1>();
    found[1] = shared_floats()[0] + shared_floats()[3];
    found[2] = shared_floats()[4];
    cuda::wait_async<0>();
    found[3] = shared_floats()[4] + shared_floats()[7] + shared_floats()[8];
  });
  CHECK(std::isnan(found[0]));
  CHECK(found[1] == 5.0F);
  CHECK(std::isnan(found[2]));
  CHECK(found[3] == 13.0F);
}

TEST_CASE("addresses that a GPU would refuse are reported") {
  alignas(16) std::array<float, 8> numbers{};
  CHECK_THAT(complaint(32, 64, [&] { cuda::copy_async(shared_floats() + 1, numbers.data(), true); }),
             ContainsSubstring("multiple of 16"));
  CHECK_THAT(complaint(32, 64, [&] { cuda::copy_async(shared_floats(), numbers.data() + 2, true); }),
             ContainsSubstring("multiple of 16"));
  CHECK_THAT(complaint(32, 64, [&] { cuda::copy_async(shared_floats() + 16, numbers.data(), true); }),
             ContainsSubstring("not in shared memory"));
  CHECK_THAT(complaint(32, 64,
                       [&] {
                         std::uint32_t r[4];
                         cuda::load_matrices(r, numbers.data());
                       }),
             ContainsSubstring("not in shared memory"));
}

TEST_CASE("launches that a GPU would refuse are reported") {
  CHECK_THAT(complaint(33, 0, [] {}), ContainsSubstring("33 threads"));
  CHECK_THAT(complaint(2048, 0, [] {}), ContainsSubstring("2048 threads"));
  CHECK_THAT(complaint(32, 300000, [] {}), ContainsSubstring("300000 bytes"));
}

#if !RVM_TEST_SANITIZED
TEST_CASE("a write behind shared memory is reported") {
  CHECK_THAT(complaint(32, 64, [] { shared_floats()[16] = 1; }), ContainsSubstring("behind its shared memory"));
}
#endif

TEST_CASE("a launch can be kept for later, as a stream or a graph does") {
  std::vector<std::function<void()>> kept;
  CUstream_st* const queue = reinterpret_cast<CUstream_st*>(&kept);
  cuda_emulation::set_submit([&](CUstream_st* found, std::function<void()> work) {
    CHECK(found == queue);
    kept.push_back(std::move(work));
    return 700;
  });
  int runs = 0;
  const auto body = [runs = &runs] { ++*runs; };
  CHECK(cuda::launch(run_body<decltype(body)>, {1, 1, 1}, 32, 0, queue, body) == 700);
  cuda_emulation::set_submit({});
  CHECK(runs == 0);
  REQUIRE(kept.size() == 1);
  kept[0]();
  CHECK(runs == 32);
}

// Products by the instructions' own words: a tile of 16 x 16 times one of 16 x 8, each loaded from shared memory.
TEMPLATE_TEST_CASE("a warp multiplies matrices", "", bfloat16, float16) {
  const Ordered ordered(GENERATE(Order::kForward, Order::kShuffled));
  test::Random random(1);
  constexpr int kPitch = 24;
  std::vector<TestType> a(16 * kPitch);
  std::vector<TestType> b(16 * kPitch);
  for (auto& v : a) v = TestType(random.number());
  for (auto& v : b) v = TestType(random.number());
  // b as rows of k (loaded transposed), or as rows of n.
  const bool transposed = GENERATE(false, true);
  std::vector<float> found(16 * 16);
  run(1, 32, 2 * 16 * kPitch * sizeof(TestType), [=, &a, &b, found = found.data()] {
    const int lane = cuda::thread_index();
    auto* const left = reinterpret_cast<TestType*>(cuda::shared_memory());
    TestType* const right = left + 16 * kPitch;
    for (int i = lane; i < 16 * kPitch; i += 32) {
      left[i] = a[static_cast<std::size_t>(i)];
      right[i] = b[static_cast<std::size_t>(i)];
    }
    cuda::sync_warp();
    std::uint32_t rows[4];
    std::uint32_t columns[4];
    cuda::load_matrices(rows, left + lane % 16 * kPitch + lane / 16 * 8);
    if (transposed) {
      cuda::load_matrices_transposed(columns, right + (lane / 8 % 2 * 8 + lane % 8) * kPitch + lane / 16 * 8);
    } else {
      cuda::load_matrices(columns, right + (lane / 16 * 8 + lane % 8) * kPitch + lane / 8 % 2 * 8);
    }
    for (int tile = 0; tile < 2; ++tile) {
      float d[4] = {1, 1, 1, 1};
      cuda::multiply_add<TestType>(d, rows, columns[2 * tile], columns[2 * tile + 1]);
      for (int i = 0; i < 4; ++i) found[(lane / 4 + i / 2 * 8) * 16 + tile * 8 + lane % 4 * 2 + i % 2] = d[i];
    }
  });
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t j = 0; j < 16; ++j) {
      double expected = 1;
      for (std::size_t k = 0; k < 16; ++k) {
        expected +=
            test::value_of(a[i * kPitch + k]) * test::value_of(transposed ? b[k * kPitch + j] : b[j * kPitch + k]);
      }
      CHECK(found[i * 16 + j] == Approx(expected).margin(1e-5));
    }
  }
}

TEST_CASE("Float8 is the nearest of its numbers") {
  for (int bits = 0; bits < 0x7f; ++bits) {
    const cuda::Float8 number{static_cast<std::uint8_t>(bits)};
    const auto value = static_cast<float>(test::value_of(number));
    CHECK(cuda::from_float<cuda::Float8>(value) == number);
    CHECK(cuda::from_float<cuda::Float8>(-value).bits == (bits | 0x80));
    if (bits == 0x7e) continue;
    const auto next = static_cast<float>(test::value_of(cuda::Float8{static_cast<std::uint8_t>(bits + 1)}));
    const float middle = (value + next) / 2;  // exact: ties go to the even one
    CHECK(cuda::from_float<cuda::Float8>(middle).bits == bits + bits % 2);
    CHECK(cuda::from_float<cuda::Float8>(std::nextafter(middle, 0.0F)).bits == bits);
    CHECK(cuda::from_float<cuda::Float8>(std::nextafter(middle, 500.0F)).bits == bits + 1);
  }
  CHECK(cuda::from_float<cuda::Float8>(INFINITY).bits == 0x7e);
  CHECK(cuda::from_float<cuda::Float8>(-1e30F).bits == 0xfe);
  CHECK(cuda::from_float<cuda::Float8>(NAN).bits == 0x7f);
}
