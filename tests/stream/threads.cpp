// One model, many threads.

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

TEMPLATE_LIST_TEST_CASE("streams of one model on several threads give what they give alone", "", test::Backends) {
  const std::size_t team = GENERATE(1U, 3U);
  constexpr std::size_t kStreams = 4;
  const rvm::Model<TestType> model(rvm::random_weights({24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}}),
                                   test::threads<TestType>(team));
  const auto video = test::Random(1).bytes({kStreams * 6, 32, 32, 3});
  const auto frames = test::frames_of(video);
  const auto run = [&](std::size_t i) {
    rvm::Stream stream(model, {.height = 32, .width = 32});
    std::vector<float> out;
    for (std::size_t t = 0; t < 6; ++t) {
      const auto values = stream.step(frames[i * 6 + t]).values();
      out.insert(out.end(), values.begin(), values.end());
    }
    return out;
  };
  std::array<std::vector<float>, kStreams> expected;
  for (std::size_t i = 0; i < kStreams; ++i) expected[i] = run(i);
  std::array<std::vector<float>, kStreams> found;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kStreams; ++i) threads.emplace_back([&, i] { found[i] = run(i); });
  }
  for (std::size_t i = 0; i < kStreams; ++i) {
    const bool same = found[i] == expected[i];
    CHECK(same);
  }
}

TEMPLATE_LIST_TEST_CASE("a stream moves between threads and outlives its model's handle", "", test::Backends) {
  const auto video = test::Random(1).bytes({2, 32, 32, 3});
  const auto frames = test::frames_of(video);
  const auto make = [] {
    const rvm::Model<TestType> model(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}}));
    return rvm::Stream(model, {.height = 32, .width = 32});
  };
  rvm::Stream expected = make();
  expected.run(frames);
  rvm::Stream stream = make();
  std::thread([&] { stream.step(frames[0]); }).join();
  std::thread([moved = std::move(stream), &stream, &frames]() mutable {
    moved.step(frames[1]);
    stream = std::move(moved);
  }).join();
  CHECK(stream.frames() == 2);
  CHECK(test::error<TestType>(stream.features().values(), expected.features().values()) < test::limit<TestType>(5e-6));
}
