// Memory runs out at the n-th allocation, for every n: nothing is lost, nothing crashes, and a stream stays as it was.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/each_failing_allocation.hpp"
#include "support/random.hpp"

namespace {

using Values = std::vector<float>;

constexpr std::size_t kSide = 32;
constexpr rvm::StreamOptions kOptions{.height = kSide, .width = kSide, .batch = 2, .chunk = 2};

// A width that no vector divides, so that all copies that a backend makes are made.
rvm::Weights weights() {
  return rvm::random_weights({26, {1, 2, 10, 36}, {1, 2, 12, 36}, {}});
}

template <class B>
rvm::Model<B> model() {
  return rvm::Model<B>(weights(), {.threads = 2});
}

template <class B>
Values features(rvm::Stream<B>& stream) {
  const auto values = stream.features().values();
  return {values.begin(), values.end()};
}

void check(const test::FailingAllocations& found) {
  if (!test::allocations_are_counted()) return;
  CAPTURE(found.trials, found.throwing, found.first_leak, found.first_wrong);
  CHECK(found.throwing > 0);
  CHECK(found.first_wrong == test::FailingAllocations::kNone);
  CHECK(found.first_leak == test::FailingAllocations::kNone);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a model that cannot be built leaves nothing", "", test::AllBackends) {
  const rvm::Weights source = weights();
  const bool all_after = GENERATE(false, true);
  check(test::each_failing_allocation(
      [&](const auto& attempt) {
        attempt([&] { const rvm::Model<TestType> made(source, {.threads = 2}); });
        return true;
      },
      all_after));
}

TEMPLATE_LIST_TEST_CASE("a stream that cannot be made or copied leaves nothing", "", test::AllBackends) {
  const rvm::Model<TestType> shared = model<TestType>();
  check(test::each_failing_allocation([&](const auto& attempt) {
    attempt([&] { const rvm::Stream<TestType> made(shared, kOptions); });
    return true;
  }));
  const auto video = test::Random(1).bytes({2, kSide, kSide, 3});
  const auto frames = test::frames_of(video);
  check(test::each_failing_allocation([&](const auto& attempt) {
    rvm::Stream<TestType> stream(shared, kOptions);
    stream.step(frames);
    const Values before = features(stream);
    attempt([&] { const rvm::Stream<TestType> copy(stream); });
    rvm::Stream<TestType> other(shared, kOptions);
    const bool threw = attempt([&] { other = stream; });
    return features(stream) == before && features(other) == (threw ? Values(before.size()) : before);
  }));
}

TEMPLATE_LIST_TEST_CASE("a call that runs out of memory leaves the stream as it was", "", test::AllBackends) {
  const rvm::Model<TestType> shared = model<TestType>();
  const auto video = test::Random(1).bytes({12, kSide, kSide, 3});
  const auto all = test::frames_of(video);
  const std::span<const rvm::FrameView> clip = std::span(all).first(6);
  const std::span<const rvm::FrameView> next = std::span(all).subspan(6, 2);
  rvm::Stream<TestType> saving(shared, kOptions);
  saving.step(std::span(all).subspan(8, 2));
  const std::vector<std::byte> saved = saving.save();
  const bool all_after = GENERATE(false, true);

  // `call` on a new stream, and again; then what an undisturbed stream has seen.
  const auto on_stream = [&](const auto& call) {
    rvm::Stream<TestType> undisturbed(shared, kOptions);
    call(undisturbed);
    undisturbed.step(next);
    const Values expected = features(undisturbed);
    const std::uint64_t frames = undisturbed.frames(1);
    return test::each_failing_allocation(
        [&](const auto& attempt) {
          rvm::Stream<TestType> stream(shared, kOptions);
          const bool threw = attempt([&] { call(stream); });
          if (threw && (stream.frames(0) != 0 || features(stream) != Values(expected.size()))) return false;
          if (threw) call(stream);
          stream.step(next);
          return stream.frames(1) == frames && features(stream) == expected;
        },
        all_after);
  };
  SECTION("step") {
    check(on_stream([&](rvm::Stream<TestType>& stream) { stream.step(clip.first(2)); }));
  }
  SECTION("run") {
    Values out(3 * 2 * 5 * 26);
    check(on_stream([&](rvm::Stream<TestType>& stream) { stream.run(clip, out); }));
    check(on_stream([&](rvm::Stream<TestType>& stream) { static_cast<void>(stream.run(clip)); }));
  }
  SECTION("restore") {
    check(on_stream([&](rvm::Stream<TestType>& stream) { stream.restore(saved); }));
  }
  SECTION("save") {
    check(on_stream([&](rvm::Stream<TestType>& stream) { static_cast<void>(stream.save()); }));
  }
}
