// One model, many threads.

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
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

TEMPLATE_LIST_TEST_CASE("everything that streams of one model do may be done at once", "", test::Backends) {
  constexpr std::size_t kSide = 32;
  constexpr std::size_t kThreads = 4;
  const rvm::StreamOptions options{.height = kSide, .width = kSide, .chunk = 2};
  const rvm::Model<TestType> model(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}}),
                                   test::threads<TestType>(2));
  const auto video = test::Random(1).bytes({6, kSide, kSide, 3});
  const auto frames = test::frames_of(video);
  rvm::Tensor<float> bad({kSide, kSide, 3});
  bad(3, 4, 1) = std::numeric_limits<float>::quiet_NaN();
  const rvm::FrameView bad_frame(bad.data(), kSide, kSide);

  // Ends with another state for every i.
  const auto live = [&](std::size_t i) {
    rvm::Stream stream(model, options);
    stream.run(frames);
    const auto saved = stream.save();
    stream.reset();
    for (std::size_t t = 0; t <= i; ++t) stream.step(frames[t]);
    rvm::Stream fork = stream;
    fork.step(frames[5]);
    bool refused = false;
    try {
      stream.step(bad_frame);
    } catch (const rvm::NonFiniteError&) {
      refused = true;
    }
    const auto before = stream.save();
    stream.restore(saved);
    stream.step(frames[i]);
    stream.restore(before);
    stream.step(frames[5]);
    const auto one = fork.features().values();
    const auto other = stream.features().values();
    const bool same = refused && std::equal(one.begin(), one.end(), other.begin());
    return same ? std::vector<float>(one.begin(), one.end()) : std::vector<float>();
  };
  std::array<std::vector<float>, kThreads> expected;
  for (std::size_t i = 0; i < kThreads; ++i) expected[i] = live(i);
  std::array<std::vector<float>, kThreads> found;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 3; ++round) found[i] = live(i);
      });
    }
  }
  for (std::size_t i = 0; i < kThreads; ++i) {
    CHECK_FALSE(expected[i].empty());
    const bool same = found[i] == expected[i];
    CHECK(same);
  }
}

TEMPLATE_LIST_TEST_CASE("models of one weight file are built and dropped at once", "", test::Backends) {
  const rvm::Weights weights = rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}});
  const auto video = test::Random(1).bytes({1, 32, 32, 3});
  const auto frame = test::frames_of(video)[0];
  const auto features = [&] {
    rvm::Stream stream(rvm::Model<TestType>(weights, test::threads<TestType>(2)), {.height = 32, .width = 32});
    const auto values = stream.step(frame).values();
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> expected = features();
  std::array<std::vector<float>, 3> found;
  {
    std::vector<std::jthread> threads;
    for (auto& one : found) threads.emplace_back([&] { one = features(); });
  }
  for (const auto& one : found) {
    const bool same = one == expected;
    CHECK(same);
  }
}

TEMPLATE_LIST_TEST_CASE("a stream may take every step on another thread", "", test::Backends) {
  const rvm::Model<TestType> model(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}}),
                                   test::threads<TestType>(2));
  const auto video = test::Random(1).bytes({5, 32, 32, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream stream(model, {.height = 32, .width = 32});
  rvm::Stream expected(model, {.height = 32, .width = 32});
  for (const rvm::FrameView& frame : frames) {
    std::thread([&] { stream.step(frame); }).join();
    expected.step(frame);
  }
  const auto one = stream.features().values();
  const auto other = expected.features().values();
  const bool same = std::equal(one.begin(), one.end(), other.begin(), other.end());
  CHECK(same);
}
