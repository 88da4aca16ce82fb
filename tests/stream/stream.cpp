#include <rvm/stream.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/image/image.hpp>
#include <rvm/model/random.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/random.hpp"

namespace {

using Values = std::vector<float>;

// Sums in another order: a few units in the last place of features of size 3.
constexpr double kRounding = 5e-6;

constexpr std::size_t kHeight = 48;
constexpr std::size_t kWidth = 32;
constexpr rvm::StreamOptions kSize{.height = kHeight, .width = kWidth};

template <class B>
rvm::Model<B> small_model(std::uint64_t seed = 0) {
  const rvm::Config config{24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}};
  return rvm::Model<B>(rvm::random_weights(config, seed));
}

rvm::Tensor<std::uint8_t> random_video(std::size_t frames, std::uint64_t seed = 1) {
  return test::Random(seed).bytes({frames, kHeight, kWidth, 3});
}

// CHECK(same(...)) rather than a comparison, which would print every number.
bool same(const Values& a, const Values& b) {
  return a == b;
}

Values copy(const rvm::Features& features) {
  return {features.values().begin(), features.values().end()};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a stream begins in the zero state and moves with every frame", "", test::Backends) {
  const auto video = random_video(3);
  rvm::Stream stream(small_model<TestType>(), kSize);
  CHECK(stream.grid_height() == 3);
  CHECK(stream.grid_width() == 2);
  CHECK(stream.token_count() == 7);
  CHECK(stream.token_width() == 24);
  CHECK(stream.frames() == 0);
  CHECK(same(copy(stream.features()), Values(7 * 24)));

  const Values first = copy(stream.step(test::frames_of(video)[0]));
  CHECK(same(copy(stream.features()), first));
  CHECK(stream.frames() == 1);
  const Values again = copy(stream.step(test::frames_of(video)[0]));
  CHECK(test::difference(first, again) > 1e-3);  // the same frame, but another state
  CHECK(stream.frames() == 2);
}

TEMPLATE_LIST_TEST_CASE("features name their parts", "", test::Backends) {
  const auto video = random_video(2);
  rvm::Stream stream(small_model<TestType>(), {.height = kHeight, .width = kWidth, .batch = 2});
  const rvm::Features features = stream.step(test::frames_of(video));
  CHECK(features.values().shape() == rvm::Shape{2, 7, 24});
  CHECK(features.tokens(1).shape() == rvm::Shape{3, 2, 24});
  CHECK(features.cls(1).shape() == rvm::Shape{24});
  CHECK(features.cls(1).data() == &features.values()(1, 0, 0));
  CHECK(&features.tokens(1)(2, 1, 0) == &features.values()(1, 6, 0));
  const Values first = copy(features);
  stream.reset();
  const auto frames = test::frames_of(video);
  CHECK(same(copy(stream.step({frames[0], frames[1]})), first));
}

TEMPLATE_LIST_TEST_CASE("a clip run at once is the same as step by step, whatever the chunk", "", test::Backends) {
  const std::size_t chunk = GENERATE(1U, 2U, 3U, 5U, 100U);
  const std::size_t batch = GENERATE(1U, 2U);
  constexpr std::size_t kSteps = 5;
  CAPTURE(chunk, batch);
  const auto video = random_video(kSteps * batch);
  const auto frames = test::frames_of(video);
  const auto model = small_model<TestType>();
  rvm::Stream stepped(model, {.height = kHeight, .width = kWidth, .batch = batch});
  rvm::Stream run(model, {.height = kHeight, .width = kWidth, .batch = batch, .chunk = chunk});

  const rvm::Tensor<float> features = run.run(frames);
  CHECK(features.shape() == (batch == 1 ? rvm::Shape{kSteps, 7, 24} : rvm::Shape{kSteps, batch, 7, 24}));
  for (std::size_t t = 0; t < kSteps; ++t) {
    const auto expected = stepped.step(std::span(frames).subspan(t * batch, batch));
    CHECK(test::error<TestType>(features[t], expected.values()) < test::limit<TestType>(kRounding));
  }
  CHECK(test::error<TestType>(run.features().values(), stepped.features().values()) < test::limit<TestType>(kRounding));
  CHECK(run.frames(batch - 1) == kSteps);
  run.run({});
  CHECK(run.frames() == kSteps);
}

TEMPLATE_LIST_TEST_CASE("a clip goes on from where the stream is", "", test::Backends) {
  const auto video = random_video(6);
  const auto frames = test::frames_of(video);
  const auto model = small_model<TestType>();
  rvm::Stream whole(model, kSize);
  rvm::Stream parts(model, kSize);
  const rvm::Tensor<float> expected = whole.run(frames);
  parts.step(frames[0]);
  CHECK(test::error<TestType>(parts.run(std::span(frames).subspan(1, 3))[2], expected[3]) <
        test::limit<TestType>(kRounding));
  parts.step(frames[4]);
  CHECK(test::error<TestType>(parts.step(frames[5]).values(), expected[5]) < test::limit<TestType>(kRounding));
  CHECK(parts.frames() == 6);
}

TEMPLATE_LIST_TEST_CASE("the videos of a batch do not touch each other", "", test::Backends) {
  constexpr std::size_t kBatch = 3;
  const auto model = small_model<TestType>();
  rvm::Stream together(model, {.height = kHeight, .width = kWidth, .batch = kBatch});
  std::vector<rvm::Stream<TestType>> alone(kBatch, rvm::Stream(model, kSize));
  for (std::size_t t = 0; t < 3; ++t) {
    const auto video = random_video(kBatch, t);
    const auto frames = test::frames_of(video);
    if (t == 2) {
      together.reset(1);
      alone[1].reset();
    }
    const auto features = together.step(frames);
    for (std::size_t b = 0; b < kBatch; ++b) {
      CHECK(test::error<TestType>(features.values()[b], alone[b].step(frames[b]).values()) <
            test::limit<TestType>(kRounding));
    }
  }
  CHECK(together.frames(0) == 3);
  CHECK(together.frames(1) == 1);
  CHECK_THROWS_WITH(together.reset(3), ContainsSubstring("no video 3 in a batch of 3"));
  CHECK_THROWS_AS(together.frames(3), rvm::ArgumentError);
}

TEMPLATE_LIST_TEST_CASE("reset is the beginning", "", test::Backends) {
  const auto video = random_video(2);
  const auto frames = test::frames_of(video);
  rvm::Stream stream(small_model<TestType>(), kSize);
  const Values first = copy(stream.step(frames[0]));
  stream.step(frames[1]);
  stream.reset();
  CHECK(same(copy(stream.features()), Values(7 * 24)));
  CHECK(stream.frames() == 0);
  CHECK(same(copy(stream.step(frames[0])), first));
}

TEMPLATE_LIST_TEST_CASE("a copy of a stream is a fork", "", test::Backends) {
  const auto video = random_video(3);
  const auto frames = test::frames_of(video);
  rvm::Stream stream(small_model<TestType>(), kSize);
  const Values first = copy(stream.step(frames[0]));
  rvm::Stream fork = stream;
  const Values one_way = copy(stream.step(frames[1]));
  CHECK(same(copy(fork.features()), first));
  CHECK(fork.frames() == 1);
  CHECK_FALSE(same(copy(fork.step(frames[2])), one_way));
  CHECK(same(copy(stream.features()), one_way));

  fork = stream;
  CHECK(same(copy(fork.features()), one_way));
  const rvm::Stream moved = std::move(fork);
  CHECK(moved.frames() == 2);
}

TEMPLATE_LIST_TEST_CASE("a saved state goes on where it was, bit for bit", "", test::Backends) {
  const auto video = random_video(8);
  const auto all = test::frames_of(video);
  const rvm::StreamOptions options{.height = kHeight, .width = kWidth, .batch = 2};
  rvm::Stream stream(small_model<TestType>(), options);
  stream.step(std::span(all).subspan(0, 2));
  stream.reset(1);
  stream.step(std::span(all).subspan(2, 2));
  const std::vector<std::byte> saved = stream.save();
  const Values next = copy(stream.step(std::span(all).subspan(4, 2)));

  rvm::Stream restored(small_model<TestType>(), options);
  restored.step(std::span(all).subspan(6, 2));
  restored.restore(saved);
  CHECK(restored.frames(0) == 2);
  CHECK(restored.frames(1) == 1);
  CHECK(restored.save() == saved);
  CHECK(same(copy(restored.step(std::span(all).subspan(4, 2))), next));
}

TEMPLATE_LIST_TEST_CASE("a state of another model or size is refused, and the stream keeps its own", "",
                        test::Backends) {
  const auto video = random_video(1);
  const auto frame = test::frames_of(video)[0];
  rvm::Stream stream(small_model<TestType>(), kSize);
  const Values before = copy(stream.step(frame));
  const auto refused = [&](const rvm::Stream<TestType>& other, const std::string& reason) {
    CHECK_THROWS_AS(stream.restore(other.save()), rvm::StateError);
    CHECK_THROWS_WITH(stream.restore(other.save()), ContainsSubstring(reason));
    CHECK(same(copy(stream.features()), before));
    CHECK(stream.frames() == 1);
  };
  refused(rvm::Stream(small_model<TestType>(7), kSize), "another model");
  refused(rvm::Stream(small_model<TestType>(), {.height = kWidth, .width = kWidth}),
          "frame height: expected 48, found 32");
  refused(rvm::Stream(small_model<TestType>(), {.height = kHeight, .width = kHeight}), "frame width");
  refused(rvm::Stream(small_model<TestType>(), {.height = kHeight, .width = kWidth, .batch = 2}), "number of videos");
}

TEMPLATE_LIST_TEST_CASE("a frame that does not fit is refused, and the stream stays as it was", "", test::Backends) {
  const auto video = random_video(3);
  auto frames = test::frames_of(video);
  rvm::Stream stream(small_model<TestType>(), kSize);
  const Values before = copy(stream.step(frames[0]));
  const auto unchanged = [&] { return copy(stream.features()) == before && stream.frames() == 1; };

  const rvm::FrameView turned(video.data(), kWidth, kHeight);
  CHECK_THROWS_AS(stream.step(turned), rvm::FrameError);
  CHECK_THROWS_WITH(stream.step(turned),
                    ContainsSubstring("48x32") && ContainsSubstring("32x48") && ContainsSubstring("rvm::resize"));
  CHECK(unchanged());
  CHECK_THROWS_AS(stream.step(rvm::FrameView(video.data(), kHeight, kWidth + 16)), rvm::FrameError);
  CHECK_THROWS_AS(stream.step(rvm::FrameView(video.data(), kHeight + 16, kWidth)), rvm::FrameError);
  CHECK_THROWS_AS(stream.step(rvm::FrameView()), rvm::FrameError);
  CHECK_THROWS_AS(stream.step(frames), rvm::FrameError);
  CHECK(unchanged());

  frames[2] = turned;
  rvm::Tensor<float> out({3, 7, 24});
  CHECK_THROWS_AS(stream.run(frames, out.span()), rvm::FrameError);
  frames.pop_back();
  CHECK_THROWS_WITH(stream.run(frames, out.span()), ContainsSubstring("336") && ContainsSubstring("504"));
  CHECK(unchanged());
  rvm::Stream pair(small_model<TestType>(), {.height = kHeight, .width = kWidth, .batch = 2});
  CHECK_THROWS_AS(pair.run(std::span(frames).first(1), out.span()), rvm::FrameError);
}

TEMPLATE_LIST_TEST_CASE("sizes that cannot be cut into patches are refused with advice", "", test::Backends) {
  const auto model = small_model<TestType>();
  const auto make = [&](std::size_t height, std::size_t width) {
    return rvm::Stream(model, {.height = height, .width = width});
  };
  CHECK_THROWS_AS(make(250, 256), rvm::FrameError);
  CHECK_THROWS_WITH(make(250, 257), ContainsSubstring("250x257") && ContainsSubstring("256x256"));
  CHECK_THROWS_WITH(make(1, 8), ContainsSubstring("16x16"));
  CHECK_THROWS_AS(make(0, 16), rvm::FrameError);
  CHECK_THROWS_AS(rvm::Stream(model, {.batch = 0}), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::Stream(model, {.chunk = 0}), rvm::ArgumentError);
}

TEMPLATE_LIST_TEST_CASE("every pixel format gives the features of its RGB copy", "", test::Backends) {
  test::Random random(3);
  const rvm::PixelFormat format =
      GENERATE(rvm::PixelFormat::kBgr, rvm::PixelFormat::kRgba, rvm::PixelFormat::kBgra, rvm::PixelFormat::kGrey);
  const std::size_t stride = kWidth * rvm::bytes_per_pixel(format) + 5;
  const auto pixels = random.bytes({kHeight, stride});
  const rvm::FrameView frame(pixels.data(), kHeight, kWidth, format, static_cast<std::ptrdiff_t>(stride));
  const rvm::Image rgb = rvm::to_rgb(frame);
  rvm::Image floats(kHeight, kWidth, rvm::PixelFormat::kRgbFloat);
  std::transform(rgb.bytes().begin(), rgb.bytes().end(), floats.floats().begin(),
                 [](std::uint8_t v) { return static_cast<float>(v) / 255.0F; });

  const auto model = small_model<TestType>();
  const auto features = [&](const rvm::FrameView& view) { return copy(rvm::Stream(model, kSize).step(view)); };
  const Values expected = features(rgb);
  CHECK(same(features(frame), expected));
  CHECK(same(features(floats), expected));
}

TEMPLATE_LIST_TEST_CASE("features depend on the number of threads by rounding at most", "", test::Backends) {
  const rvm::Weights weights = rvm::random_weights({24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}});
  const auto video = random_video(3);
  const auto run = [&](std::size_t threads) {
    rvm::Stream stream(rvm::Model<TestType>(weights, test::threads<TestType>(threads)), kSize);
    const rvm::Tensor<float> out = stream.run(test::frames_of(video));
    return Values(out.begin(), out.end());
  };
  const Values one = run(1);
  for (const std::size_t threads : {2U, 5U}) {
    const Values found = run(threads);
    if (std::string_view(TestType::kName) == "eigen") CHECK(same(found, one));
    CHECK(test::error<TestType>(found, one) < test::limit<TestType>(kRounding));
    CHECK(same(run(threads), found));
  }
}
