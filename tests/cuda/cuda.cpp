// What is the GPU's own, on an emulated one and on a real one; the typed tests do the rest.

#include <rvm/backend/cuda.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"

namespace {

using Backend = rvm::Cuda<rvm::bfloat16>;
using Values = std::vector<float>;

constexpr rvm::StreamOptions kSize{.height = 48, .width = 32};

rvm::Model<Backend> small_model(const Backend::Options& options = {}) {
  return rvm::Model<Backend>(rvm::random_weights({24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}}), options);
}

Values copy(const rvm::Features& features) {
  return {features.values().begin(), features.values().end()};
}

template <class S>
Values read_device_features(const S& stream) {
  Values values(stream.device_features().size());
  stream.executor().read(stream.device_features().data(), values);
  return values;
}

}  // namespace

TEST_CASE("a device that is not there is refused by name") {
  CHECK_THROWS_AS(Backend::Device({.device = 99}), rvm::ArgumentError);
  CHECK_THROWS_WITH(Backend::Device({.device = 99}), ContainsSubstring("found 99"));
  CHECK_THROWS_AS(Backend::Device({.device = -1}), rvm::ArgumentError);
  CHECK_THAT(Backend::Device({}).description(), ContainsSubstring("compute capability"));
}

TEST_CASE("advance is step without its features") {
  const auto video = test::Random(1).bytes({5, 48, 32, 3});
  const auto frames = test::frames_of(video);
  const auto model = small_model();
  rvm::Stream stepped(model, kSize);
  rvm::Stream advanced(model, kSize);
  Values expected;
  for (const auto& frame : frames) {
    expected = copy(stepped.step(frame));
    // The caller may write over the frame at once.
    std::vector<std::uint8_t> pixels(frame.row(0), frame.row(0) + 48 * 32 * 3);
    advanced.advance(rvm::FrameView(pixels.data(), 48, 32));
    std::fill(pixels.begin(), pixels.end(), std::uint8_t{7});
  }
  CHECK(advanced.frames() == 5);
  CHECK((read_device_features(advanced) == expected));
  CHECK((copy(advanced.features()) == expected));
  CHECK_THROWS_AS(advanced.advance(std::span(frames)), rvm::FrameError);
  CHECK((copy(advanced.features()) == expected));
}

TEST_CASE("frames on the device need not come from the host") {
  const auto video = test::Random(2).bytes({3, 48, 32, 4});
  const auto model = small_model();
  rvm::Stream from_host(model, kSize);
  rvm::Stream from_device(model, kSize);
  std::vector<float> words(video.size() / sizeof(float));
  std::memcpy(words.data(), video.data(), video.size());
  const auto pixels = model.device().upload(words);
  const auto* const first = reinterpret_cast<const std::uint8_t*>(pixels.data());
  for (std::size_t t = 0; t < 3; ++t) {
    const std::size_t at = t * 48 * 32 * 4;
    const Values expected = copy(from_host.step(rvm::FrameView(video.data() + at, 48, 32, rvm::PixelFormat::kBgra)));
    from_device.advance(rvm::DeviceFrameView(rvm::FrameView(first + at, 48, 32, rvm::PixelFormat::kBgra)));
    CHECK((copy(from_device.features()) == expected));
  }
  CHECK_THROWS_AS(from_device.advance(rvm::DeviceFrameView(rvm::FrameView(first, 32, 48))), rvm::FrameError);
  // Host and device frames may take turns.
  const rvm::FrameView frame(video.data(), 48, 32, rvm::PixelFormat::kBgra);
  CHECK((copy(from_device.step(frame)) == copy(from_host.step(frame))));
}

TEST_CASE("a stream computes in the caller's queue") {
  const auto video = test::Random(3).bytes({4, 48, 32, 3});
  const auto frames = test::frames_of(video);
  const auto model = small_model();
  const rvm::detail::cuda::QueueHandle queue(model.device().context(), nullptr);
  rvm::Stream own(model, kSize);
  rvm::Stream callers(model, kSize, Backend::Executor(model.device(), queue.get()));
  CHECK(callers.executor().queue() == queue.get());
  CHECK(own.executor().queue() != queue.get());
  for (const auto& frame : frames) {
    own.advance(frame);
    callers.advance(frame);
  }
  CHECK((read_device_features(callers) == read_device_features(own)));

  rvm::Stream of_model(small_model({.queue = queue.get()}), kSize);
  CHECK(of_model.executor().queue() == queue.get());
}

TEST_CASE("streams side by side give what they give alone") {
  const auto model = small_model();
  constexpr std::size_t kStreams = 3;
  std::vector<rvm::Stream<Backend>> together(kStreams, rvm::Stream(model, kSize));
  std::vector<rvm::Stream<Backend>> alone(kStreams, rvm::Stream(model, kSize));
  for (std::size_t t = 0; t < 5; ++t) {
    const auto video = test::Random(t).bytes({kStreams, 48, 32, 3});
    const auto frames = test::frames_of(video);
    for (std::size_t i = 0; i < kStreams; ++i) together[i].advance(frames[i]);
    for (std::size_t i = 0; i < kStreams; ++i) alone[i].step(frames[i]);
  }
  for (std::size_t i = 0; i < kStreams; ++i) CHECK((copy(together[i].features()) == copy(alone[i].features())));
}

TEST_CASE("clips of every length, again and again, and steps between them") {
  const auto video = test::Random(4).bytes({9, 48, 32, 3});
  const auto frames = test::frames_of(video);
  const auto model = small_model();
  rvm::Stream run(model, {.height = 48, .width = 32, .chunk = 3});
  rvm::Stream stepped(model, kSize);
  for (const std::size_t steps : {9U, 1U, 4U, 9U, 3U, 8U}) {
    CAPTURE(steps);
    const rvm::Tensor<float> features = run.run(std::span(frames).first(steps));
    for (std::size_t t = 0; t < steps; ++t) {
      CHECK(test::error<Backend>(features[t], stepped.step(frames[t]).values()) < 0.0045);
    }
    CHECK(test::error<Backend>(run.step(frames[8]).values(), stepped.step(frames[8]).values()) < 0.0045);
    CHECK(run.frames() == stepped.frames());
  }
}

TEST_CASE("the first proposal for every product gives the same features every time") {
  const auto video = test::Random(5).bytes({3, 48, 32, 3});
  const auto run = [&] {
    const auto features = rvm::Stream(small_model({.measure = false}), kSize).run(test::frames_of(video));
    return Values(features.begin(), features.end());
  };
  CHECK((run() == run()));
}

TEST_CASE("a saved state moves between precisions and backends") {
  const auto video = test::Random(6).bytes({2, 48, 32, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream stream(small_model(), kSize);
  stream.step(frames[0]);
  rvm::Stream other(rvm::Model<rvm::Cuda<float>>(rvm::random_weights({24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}})), kSize);
  other.restore(stream.save());
  CHECK((copy(other.features()) == copy(stream.features())));
}

TEST_CASE("heads that are too wide are refused") {
  Backend::Device device({});
  Backend::Executor run(device);
  const rvm::MatrixView<rvm::bfloat16> none(nullptr, 1, 130);
  CHECK_THROWS_WITH(run.attention({1, 1, 130, 1, 1}, none, none, none, none),
                    ContainsSubstring("at most 128") && ContainsSubstring("130"));
}
