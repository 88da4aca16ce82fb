// What goes wrong between and inside steps: a backend that throws, frames that are missing or change their size, code
// of the caller's that throws while a clip is under way, or that computes with floats in its own way.

#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/faulty_backend.hpp"
#include "support/random.hpp"

namespace {

using Values = std::vector<float>;

constexpr std::size_t kHeight = 48;
constexpr std::size_t kWidth = 32;

rvm::Weights weights() {
  return rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}});
}

template <class B>
Values features(rvm::Stream<B>& stream) {
  const auto values = stream.features().values();
  return {values.begin(), values.end()};
}

using FaultyStream = rvm::Stream<test::FaultyBackend>;

struct Call {
  const char* name;
  std::function<void(FaultyStream&)> make;
};

}  // namespace

TEST_CASE("an operation that throws, whichever it is, leaves the stream as it was") {
  const rvm::Model<test::FaultyBackend> model(weights(), {.threads = 1});
  const rvm::StreamOptions options{
      .height = kHeight, .width = kWidth, .batch = 2, .chunk = 2, .non_finite = rvm::NonFinite::kReset};
  const auto video = test::Random(1).bytes({14, kHeight, kWidth, 3});
  const auto frames = test::frames_of(video);
  const auto some = [&](std::size_t first, std::size_t count) { return std::span(frames).subspan(first, count); };
  FaultyStream other(model, options);
  other.step(some(10, 2));
  const std::vector<std::byte> saved = other.save();

  const std::vector<Call> calls = {
      {"step", [&](FaultyStream& stream) { stream.step(some(4, 2)); }},
      {"run", [&](FaultyStream& stream) { static_cast<void>(stream.run(some(4, 6))); }},
      {"features", [](FaultyStream& stream) { stream.features(); }},
      {"save", [](FaultyStream& stream) { static_cast<void>(stream.save()); }},
      {"restore", [&](FaultyStream& stream) { stream.restore(saved); }},
      {"reset", [](FaultyStream& stream) { stream.reset(); }},
      {"reset(1)", [](FaultyStream& stream) { stream.reset(1); }},
      {"copy", [](FaultyStream& stream) { const FaultyStream copy = stream; }},
      {"copy from", [&](FaultyStream& stream) { stream = other; }},
  };
  for (const Call& call : calls) {
    CAPTURE(call.name);
    FaultyStream undisturbed(model, options);
    undisturbed.step(some(0, 2));
    undisturbed.step(some(2, 2));
    const Values before = features(undisturbed);
    FaultyStream stream = undisturbed;
    call.make(undisturbed);
    undisturbed.step(some(12, 2));
    std::size_t faults = 0;
    for (bool done = false; !done; ++faults) {
      test::FaultyBackend::operations_left = faults;
      try {
        call.make(stream);
        done = true;
      } catch (const test::Fault&) {
        const bool same = features(stream) == before && stream.frames(0) == 2 && stream.frames(1) == 2;
        CAPTURE(faults);
        CHECK(same);
      }
      test::FaultyBackend::operations_left = test::FaultyBackend::kNever;
    }
    CHECK(faults > 1);
    stream.step(some(12, 2));
    const bool same = features(stream) == features(undisturbed);
    CHECK(same);
  }
}

TEMPLATE_LIST_TEST_CASE("a frame that was dropped or refused has never been", "", test::Backends) {
  const rvm::Model<TestType> model(weights());
  const rvm::StreamOptions options{.height = kHeight, .width = kWidth};
  const auto video = test::Random(1).bytes({6, kHeight, kWidth, 3});
  const auto frames = test::frames_of(video);
  const auto larger = test::Random(2).bytes({kHeight + 16, kWidth, 3});
  const rvm::FrameView changed(larger.data(), kHeight + 16, kWidth);

  rvm::Stream stream(model, options);
  rvm::Stream without(model, options);
  for (std::size_t t = 0; t < frames.size(); ++t) {
    if (t == 2) continue;  // the camera skipped one
    if (t == 3) {          // and changed its size for a while
      REQUIRE_THROWS_AS(stream.step(changed), rvm::FrameError);
      REQUIRE_THROWS_WITH(stream.step(changed), ContainsSubstring("frames of 48x32") &&
                                                    ContainsSubstring("found 64x32") &&
                                                    ContainsSubstring("rvm::resize"));
    }
    stream.step(frames[t]);
  }
  without.step(frames[0]);
  without.step(frames[1]);
  for (std::size_t t = 3; t < 6; ++t) without.step(frames[t]);
  const bool same = features(stream) == features(without);
  CHECK(same);
  CHECK(stream.frames() == 5);
}

TEMPLATE_LIST_TEST_CASE("code of the caller's may throw between a step and the next", "", test::Backends) {
  const rvm::Model<TestType> model(weights());
  const rvm::StreamOptions options{.height = kHeight, .width = kWidth};
  const auto video = test::Random(1).bytes({4, kHeight, kWidth, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream stream(model, options);
  const auto read = [&](std::size_t t) {
    if (t == 2) throw std::runtime_error("the camera is gone");
    return frames[t];
  };
  const auto watch = [&] {
    for (std::size_t t = 0; t < frames.size(); ++t) stream.step(read(t));
  };
  REQUIRE_THROWS_AS(watch(), std::runtime_error);
  CHECK(stream.frames() == 2);
  rvm::Stream undisturbed(model, options);
  undisturbed.step(frames[0]);
  undisturbed.step(frames[1]);
  undisturbed.step(frames[3]);
  stream.step(frames[3]);
  const bool same = features(stream) == features(undisturbed);
  CHECK(same);
}

TEMPLATE_LIST_TEST_CASE("a caller's rounding changes no bit, and stays", "", test::Backends) {
  const rvm::Model<TestType> model(weights());
  const rvm::StreamOptions options{.height = kHeight, .width = kWidth};
  const auto video = test::Random(1).bytes({4, kHeight, kWidth, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream expected(model, options);
  for (const rvm::FrameView& frame : frames) expected.step(frame);
  REQUIRE(std::fesetround(FE_UPWARD) == 0);
  rvm::Stream stream(rvm::Model<TestType>(weights()), options);
  for (const rvm::FrameView& frame : frames) stream.step(frame);
  const int rounding = std::fegetround();
  std::fesetround(FE_TONEAREST);
  CHECK(stream.model().fingerprint() == model.fingerprint());
  CHECK(rounding == FE_UPWARD);
  const bool same = features(stream) == features(expected);
  CHECK(same);
}
