// What a stream does with a NaN or an infinity, by its policy.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <rvm/image/image.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/changed_weights.hpp"
#include "support/random.hpp"
#ifndef RVM_TEST_ONEDNN
#include "support/remote_backend.hpp"
#endif

namespace {

using Values = std::vector<float>;

constexpr std::size_t kHeight = 48;
constexpr std::size_t kWidth = 32;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr auto kOutputNorm = "rnn_core/transformer/output_norm/scale";

rvm::Weights weights() {
  return rvm::random_weights({24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}});
}

rvm::StreamOptions options(rvm::NonFinite policy, std::size_t batch = 1) {
  return {.height = kHeight, .width = kWidth, .batch = batch, .chunk = 2, .non_finite = policy};
}

rvm::Image random_frame(std::uint64_t seed) {
  rvm::Image image(kHeight, kWidth, rvm::PixelFormat::kRgbFloat);
  test::Random random(seed);
  for (float& v : image.floats()) v = 0.5F + 0.5F * random.number();
  return image;
}

/// A frame with one bad number at row 17, column 31, channel 2.
rvm::Image bad_frame(float number, std::uint64_t seed = 100) {
  rvm::Image image = random_frame(seed);
  image.floats()(17, 31, 2) = number;
  return image;
}

template <class B>
Values features(rvm::Stream<B>& stream) {
  const auto values = stream.features().values();
  return {values.begin(), values.end()};
}

bool finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

// Not compared by CHECK, which would print every number.
bool same(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a step that would leave a NaN or an infinity fails, and the stream stays as it was", "",
                        test::AllBackends) {
  const float number = GENERATE(as<float>(), kNan, kInfinity, -kInfinity);
  const rvm::Model<TestType> model(weights());
  rvm::Stream stream(model, options(rvm::NonFinite::kThrow));
  rvm::Stream undisturbed(model, options(rvm::NonFinite::kThrow));
  const rvm::Image first = random_frame(1);
  const rvm::Image next = random_frame(2);
  const rvm::Image bad = bad_frame(number);
  stream.step(first);
  undisturbed.step(first);
  const Values before = features(stream);

  REQUIRE_THROWS_AS(stream.step(bad), rvm::NonFiniteError);
  REQUIRE_THROWS_WITH(
      stream.step(bad),
      "frame 1 of video 0 would leave a NaN or an infinity in the state: its pixels hold one at row 17, "
      "column 31, channel 2");
  CHECK(stream.frames() == 1);
  CHECK(same(features(stream), before));
  undisturbed.step(next);
  stream.step(next);
  CHECK(stream.frames() == 2);
  CHECK(same(features(stream), features(undisturbed)));
}

TEMPLATE_LIST_TEST_CASE("numbers that grow too large are found though every pixel is finite", "", test::AllBackends) {
  rvm::Tensor<float> scale({24});
  std::fill(scale.begin(), scale.end(), 3e38F);
  rvm::Stream stream(rvm::Model<TestType>(test::with(weights(), kOutputNorm, scale)), options(rvm::NonFinite::kThrow));
  const auto pixels = test::Random(1).bytes({kHeight, kWidth, 3});
  REQUIRE_THROWS_WITH(stream.step(test::frames_of(pixels)[0]),
                      ContainsSubstring("frame 0 of video 0") &&
                          ContainsSubstring("its pixels are finite, but numbers grew too large"));
  CHECK(stream.frames() == 0);
  CHECK(same(features(stream), Values(7 * 24)));
}

TEMPLATE_LIST_TEST_CASE("a clip with a bad frame fails as a whole", "", test::AllBackends) {
  const std::size_t where = GENERATE(0U, 1U, 2U, 4U);
  const rvm::Model<TestType> model(weights());
  rvm::Stream stream(model, options(rvm::NonFinite::kThrow));
  rvm::Stream undisturbed(model, options(rvm::NonFinite::kThrow));
  const rvm::Image first = random_frame(1);
  stream.step(first);
  undisturbed.step(first);
  const Values before = features(stream);
  const rvm::Image good = random_frame(2);
  const rvm::Image bad = bad_frame(kNan);
  std::vector<rvm::FrameView> clip(5, good);
  clip[where] = bad;
  REQUIRE_THROWS_AS(stream.run(clip), rvm::NonFiniteError);
  REQUIRE_THROWS_WITH(stream.run(clip), ContainsSubstring("frame " + std::to_string(1 + where) + " of video 0"));
  CHECK(stream.frames() == 1);
  CHECK(same(features(stream), before));
  clip[where] = good;
  CHECK(same(stream.run(clip).span(), undisturbed.run(clip).span()));
}

TEMPLATE_LIST_TEST_CASE("under kReset the bad video begins again, and the others do not notice", "",
                        test::AllBackends) {
  const std::size_t bad_video = GENERATE(0U, 1U, 2U);
  const rvm::Model<TestType> model(weights());
  rvm::Stream stream(model, options(rvm::NonFinite::kReset, 3));
  rvm::Stream good(model, options(rvm::NonFinite::kThrow, 3));
  rvm::Stream clip_at_once(model, options(rvm::NonFinite::kReset, 3));
  std::vector<rvm::Image> images;
  for (std::uint64_t i = 0; i < 9; ++i) images.push_back(random_frame(i));
  const rvm::Image bad = bad_frame(kNan);
  std::vector<rvm::FrameView> frames(images.begin(), images.end());
  const std::size_t size = stream.token_count() * stream.token_width();
  const auto step = [&](rvm::Stream<TestType>& s, std::size_t t) {
    const auto values = s.step(std::span(frames).subspan(3 * t, 3)).values();
    return Values(values.begin(), values.end());
  };

  Values expected = step(stream, 0);
  step(good, 0);
  step(good, 1);
  frames[3 + bad_video] = bad;
  const Values after = step(stream, 1);
  for (std::size_t video = 0; video < 3; ++video) {
    CAPTURE(video);
    const bool reset = video == bad_video;
    CHECK(stream.frames(video) == (reset ? 0 : 2));
    const Values wanted = features(good);
    const auto found = std::span(after).subspan(video * size, size);
    CHECK(same(found, reset ? std::span<const float>(Values(size)) : std::span(wanted).subspan(video * size, size)));
  }
  good.reset(bad_video);
  const Values last = step(stream, 2);
  CHECK(same(last, step(good, 2)));
  CHECK(stream.frames(bad_video) == 1);

  // The same clip at once.
  const rvm::Tensor<float> at_once = clip_at_once.run(frames);
  expected.insert(expected.end(), after.begin(), after.end());
  expected.insert(expected.end(), last.begin(), last.end());
  CHECK(test::error<TestType>(at_once, expected) < test::limit<TestType>(5e-6));
  for (std::size_t video = 0; video < 3; ++video) CHECK(clip_at_once.frames(video) == stream.frames(video));
}

TEMPLATE_LIST_TEST_CASE("under kThrow a bad video stops the whole batch", "", test::AllBackends) {
  rvm::Stream stream(rvm::Model<TestType>(weights()), options(rvm::NonFinite::kThrow, 2));
  const rvm::Image good = random_frame(1);
  const rvm::Image bad = bad_frame(kInfinity);
  stream.step(std::vector<rvm::FrameView>{good, good});
  const Values before = features(stream);
  REQUIRE_THROWS_WITH(stream.step(std::vector<rvm::FrameView>{good, bad}),
                      ContainsSubstring("frame 1 of video 1") && ContainsSubstring("row 17"));
  CHECK(same(features(stream), before));
  CHECK(stream.frames(0) == 1);
  CHECK(stream.frames(1) == 1);
}

TEMPLATE_LIST_TEST_CASE("under kAllow such numbers stay until a reset, and can be saved", "", test::AllBackends) {
  const rvm::Model<TestType> model(weights());
  rvm::Stream stream(model, options(rvm::NonFinite::kAllow));
  const rvm::Image good = random_frame(1);
  const rvm::Image bad = bad_frame(kNan);
  const Values expected = [&] {
    const auto values = stream.step(good).values();
    return Values(values.begin(), values.end());
  }();
  stream.step(bad);
  CHECK_FALSE(finite(features(stream)));
  CHECK(stream.frames() == 2);
  stream.step(good);
  CHECK_FALSE(finite(features(stream)));

  const std::vector<std::byte> saved = stream.save();
  rvm::Stream allowing(model, options(rvm::NonFinite::kAllow));
  allowing.restore(saved);
  CHECK_FALSE(finite(features(allowing)));
  rvm::Stream refusing(model, options(GENERATE(rvm::NonFinite::kThrow, rvm::NonFinite::kReset)));
  refusing.step(good);
  REQUIRE_THROWS_AS(refusing.restore(saved), rvm::StateError);
  REQUIRE_THROWS_WITH(refusing.restore(saved), ContainsSubstring("a NaN or an infinity"));
  CHECK(same(features(refusing), expected));

  stream.reset();
  stream.step(good);
  CHECK(same(features(stream), expected));
}

#ifndef RVM_TEST_ONEDNN
TEST_CASE("a state that the host cannot read is looked at where it is") {
  const rvm::Model<test::RemoteBackend> model(weights());
  const rvm::Image good = random_frame(1);
  const rvm::Image bad = bad_frame(kNan);
  rvm::Stream throwing(model, options(rvm::NonFinite::kThrow));
  CHECK_THROWS_AS(throwing.step(bad), rvm::NonFiniteError);
  rvm::Stream stream(model, options(rvm::NonFinite::kReset, 2));
  const auto after = stream.step(std::vector<rvm::FrameView>{bad, good}).values();
  CHECK(same(after[0].span(), Values(7 * 24)));
  CHECK(finite(after[1].span()));
  CHECK(stream.frames(0) == 0);
  CHECK(stream.frames(1) == 1);
}
#endif

TEMPLATE_LIST_TEST_CASE("what advance() lets into the state is found by the next step, and named", "",
                        test::AllBackends) {
  const rvm::Model<TestType> model(weights());
  rvm::Stream stream(model, options(rvm::NonFinite::kThrow));
  const rvm::Image good = random_frame(1);
  const rvm::Image bad = bad_frame(kNan);
  stream.advance(good);
  const Values before = features(stream);
  if constexpr (rvm::detail::kReplays<TestType>) {
    stream.advance(bad);
    CHECK(stream.frames() == 2);
    REQUIRE_THROWS_WITH(stream.step(good), ContainsSubstring("an earlier frame, which advance() took, left one there"));
    CHECK(stream.frames() == 2);
    stream.reset();
    CHECK_NOTHROW(stream.step(good));
  } else {
    REQUIRE_THROWS_WITH(stream.advance(bad), ContainsSubstring("row 17, column 31, channel 2"));
    CHECK(stream.frames() == 1);
    CHECK(same(features(stream), before));
  }
}
