#include <rvm/reconstruction.hpp>

#include <algorithm>
#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <rvm/model/random.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"
#include "support/remote_backend.hpp"

namespace {

const rvm::Config kConfig{24, {2, 3, 8, 40}, {2, 2, 12, 36}, rvm::DecoderConfig{16, {2, 4, 4, 20}}};
constexpr std::size_t kHeight = 32;
constexpr std::size_t kWidth = 48;

/// A decoder of small random sizes, and a video of kHeight x kWidth.
template <class B>
struct Bench {
  rvm::Weights weights = rvm::random_weights(kConfig, 4);
  rvm::Decoder<B> decoder{rvm::Model<B>(weights), weights};
  rvm::Tensor<std::uint8_t> video = test::Random(5).bytes({6, kHeight, kWidth, 3});
  std::vector<rvm::FrameView> frames = test::frames_of(video);
  std::span<const rvm::FrameView> source = std::span(frames).first(2);

  rvm::Tensor<float> fill(const rvm::MaskedFrame& target) const {
    return reconstruct(decoder, source, std::span(&target, 1));
  }
};

std::vector<std::size_t> indices(const rvm::TensorView<const std::int32_t>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("masked frames are filled in as the authors' model does", "", test::AllBackends) {
  const rvm::Weights file = rvm::load_npz(test::data("reconstruct_96x160.npz"));
  const auto source = file.at("source").as<std::uint8_t>();
  const auto target = file.at("target").as<std::uint8_t>();
  const auto offsets = file.at("deltas").as<std::int32_t>();
  const auto visible = file.at("visible").as<std::int32_t>();
  const auto expected = file.at("reconstructed").as<float>();
  const std::vector<rvm::FrameView> source_frames = test::frames_of(source);
  std::vector<rvm::MaskedFrame> targets;
  for (const rvm::FrameView& frame : test::frames_of(target)) {
    const std::size_t i = targets.size();
    targets.push_back({frame, static_cast<std::size_t>(offsets(i)), indices(visible.view()[i])});
  }

  const rvm::Weights weights = test::small_weights();
  const rvm::Decoder decoder(rvm::Model<TestType>(weights), weights);
  const rvm::Tensor<float> pixels = reconstruct(decoder, source_frames, targets);
  REQUIRE(pixels.shape() == expected.shape());
  CHECK(test::error<TestType>(pixels, expected) < test::limit<TestType>(5e-5, 0.006));
}

TEMPLATE_LIST_TEST_CASE("random sizes, sources and masks agree with the plain formula in double", "", test::Backends) {
  test::Random random(21);
  const auto transformer = [&] {
    return rvm::TransformerConfig{random.between(1, 2), random.between(1, 4), random.between(1, 20),
                                  random.between(1, 70)};
  };
  for (int i = 0; i < 12; ++i) {
    const rvm::Config config{4 * random.between(1, 12), transformer(), transformer(),
                             rvm::DecoderConfig{4 * random.between(1, 12), transformer()}};
    const std::size_t h = random.between(1, 4);
    const std::size_t w = random.between(1, 4);
    const std::size_t sources = random.between(1, 3);
    // None visible, all visible, and what lies between.
    const std::size_t shown = i == 0 ? 0 : i == 1 ? h * w : random.between(0, h * w);
    CAPTURE(i, config.width, config.decoder->width, h, w, sources, shown);
    const rvm::Weights weights = rvm::random_weights(config, random.bits());
    const auto video = random.bytes({sources + 2, 16 * h, 16 * w, 3});
    const std::vector<rvm::FrameView> frames = test::frames_of(video);
    std::vector<std::vector<double>> source;
    for (std::size_t t = 0; t < sources; ++t) source.push_back(test::pixels_of(frames[t]));
    std::vector<rvm::MaskedFrame> targets;
    for (std::size_t t = 0; t < 2; ++t) {
      std::vector<std::size_t> visible(h * w);
      std::iota(visible.begin(), visible.end(), std::size_t{0});
      for (std::size_t k = 0; k < visible.size(); ++k) {
        std::swap(visible[k], visible[random.between(k, visible.size() - 1)]);
      }
      visible.resize(shown);
      targets.push_back({frames[sources + t], i == 2 ? 63 : random.between(0, 63), visible});
    }

    const test::Reference reference(weights);
    const rvm::Decoder decoder(rvm::Model<TestType>(weights), weights);
    const rvm::Tensor<float> pixels = reconstruct(decoder, std::span(frames).first(sources), targets);
    for (std::size_t t = 0; t < 2; ++t) {
      const auto expected = reference.reconstruct(source, test::pixels_of(targets[t].frame), 16 * h, 16 * w,
                                                  targets[t].offset, targets[t].visible);
      // Narrow models average less of bfloat16's rounding out.
      CHECK(test::error<TestType>(pixels[t], expected) < test::limit<TestType>(2e-5, 0.03));
    }
  }
}

TEMPLATE_LIST_TEST_CASE("the order of the visible patches does not matter", "", test::AllBackends) {
  const Bench<TestType> bench;
  const rvm::Tensor<float> ascending = bench.fill({bench.frames[3], 7, {0, 2, 3, 5}});
  CHECK(test::difference(bench.fill({bench.frames[3], 7, {5, 0, 3, 2}}), ascending) <
        (test::kExact<TestType> ? 1e-5 : 0.05));
  CHECK(test::difference(bench.fill({bench.frames[3], 7, {0, 2, 3, 4}}), ascending) > 0.05);
}

TEMPLATE_LIST_TEST_CASE("what is masked is not looked at, what is visible is", "", test::AllBackends) {
  Bench<TestType> bench;
  const rvm::MaskedFrame target{bench.frames[3], 7, {1, 4}};
  const rvm::Tensor<float> expected = bench.fill(target);
  rvm::TensorView<std::uint8_t> frame = bench.video[3];
  for (std::size_t y = 0; y < kHeight; ++y) {
    for (std::size_t x = 0; x < kWidth; ++x) {
      if (x / 16 != 1) frame(y, x, 0) = static_cast<std::uint8_t>(frame(y, x, 0) + 100);
    }
  }
  CHECK(test::difference(bench.fill(target), expected) == 0);
  for (std::size_t y = 0; y < 16; ++y) frame(y, 16, 1) = static_cast<std::uint8_t>(255 - frame(y, 16, 1));
  CHECK(test::difference(bench.fill(target), expected) > 1e-4);
}

TEMPLATE_LIST_TEST_CASE("targets together are as they are one by one, again and again", "", test::AllBackends) {
  const Bench<TestType> bench;
  const std::vector<rvm::MaskedFrame> targets{
      {bench.frames[3], 7, {1, 4}}, {bench.frames[4], 0, {0, 5}}, {bench.frames[5], 63, {3, 2}}};
  rvm::Reconstruction<TestType> reconstruction(bench.decoder, bench.source);
  const rvm::Tensor<float> together = reconstruction(targets);
  REQUIRE(together.shape() == rvm::Shape{3, kHeight, kWidth, 3});
  const double limit = test::kExact<TestType> ? 1e-5 : 0.05;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const rvm::Tensor<float> alone = reconstruction(std::span(targets).subspan(i, 1));
    CHECK(test::difference(alone, together[i]) < limit);
    CHECK(test::difference(bench.fill(targets[i]), alone) == 0);
  }
  CHECK(test::difference(reconstruction(targets), together) == 0);
  REQUIRE(std::fesetround(FE_UPWARD) == 0);
  const rvm::Tensor<float> rounded_otherwise = rvm::Reconstruction<TestType>(bench.decoder, bench.source)(targets);
  std::fesetround(FE_TONEAREST);
  CHECK(test::difference(rounded_otherwise, together) == 0);
  CHECK(reconstruction({}).shape() == rvm::Shape{0, kHeight, kWidth, 3});
}

TEMPLATE_LIST_TEST_CASE("a stream's features serve as the source", "", test::AllBackends) {
  const Bench<TestType> bench;
  const rvm::MaskedFrame target{bench.frames[3], 7, {1, 4}};
  const rvm::Tensor<float> expected = bench.fill(target);
  rvm::Stream<TestType> stream(bench.decoder.model(), {.height = kHeight, .width = kWidth});
  const rvm::Tensor<float> features = stream.run(bench.source);
  const auto fill = [&](rvm::TensorView<const float> source) {
    return rvm::Reconstruction<TestType>(bench.decoder, source, 2, 3)(std::span(&target, 1));
  };
  CHECK(test::difference(fill(features), expected) == 0);
  // The last state alone is another source, and so is the first.
  const rvm::Tensor<float> last = fill(stream.features().values());
  CHECK(test::difference(last, expected) > 1e-3);
  CHECK(test::difference(fill({features.data(), {1, 7, 24}}), last) > 1e-3);
}

TEMPLATE_LIST_TEST_CASE("targets may be of any pixel format", "", test::Backends) {
  const Bench<TestType> bench;
  const rvm::Tensor<float> expected = bench.fill({bench.frames[3], 7, {1, 4}});
  rvm::Tensor<float> floats({kHeight, kWidth, 3});
  std::transform(bench.video[3].begin(), bench.video[3].end(), floats.begin(),
                 [](std::uint8_t v) { return static_cast<float>(v) / 255.0F; });
  CHECK(test::difference(bench.fill({rvm::FrameView(floats.data(), kHeight, kWidth), 7, {1, 4}}), expected) == 0);
}

TEMPLATE_LIST_TEST_CASE("a decoder is a value: it keeps its model and serves several threads", "", test::Backends) {
  const Bench<TestType> bench;
  std::optional<rvm::Decoder<TestType>> decoder;
  {
    const rvm::Model<TestType> model(bench.weights, test::threads<TestType>(2));
    decoder.emplace(model, bench.weights);
  }
  const auto fill = [&](std::size_t i) {
    const rvm::MaskedFrame target{bench.frames[i], i, {i, 0}};
    return reconstruct(*decoder, bench.source, std::span(&target, 1));
  };
  std::vector<rvm::Tensor<float>> found(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { found[i] = fill(2 + i); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 4; ++i) CHECK(test::difference(fill(2 + i), found[i]) == 0);
}

TEST_CASE("the backend's memory is read and written through the backend alone") {
  const Bench<test::RemoteBackend> remote;
  const Bench<rvm::EigenCpu<float>> local;
  for (const std::vector<std::size_t>& visible : {std::vector<std::size_t>{}, {4, 1}}) {
    const rvm::MaskedFrame target{local.frames[3], 7, visible};
    CHECK(test::difference(remote.fill(target), local.fill(target)) == 0);
  }
}

TEST_CASE("what cannot be a source is refused") {
  using B = rvm::EigenCpu<>;
  const Bench<B> bench;
  using Reconstruction = rvm::Reconstruction<B>;
  const std::vector<rvm::FrameView> none;
  CHECK_THROWS_WITH(Reconstruction(bench.decoder, none), ContainsSubstring("at least one source frame"));
  const std::vector<rvm::FrameView> odd{rvm::FrameView(bench.video.data(), 32, 40)};
  CHECK_THROWS_AS(Reconstruction(bench.decoder, odd), rvm::FrameError);
  const std::vector<rvm::FrameView> mixed{bench.frames[0], rvm::FrameView(bench.video.data(), 32, 32)};
  CHECK_THROWS_WITH(Reconstruction(bench.decoder, mixed), ContainsSubstring("32x48") && ContainsSubstring("32x32"));
  const std::vector<rvm::FrameView> empty(1);
  CHECK_THROWS_AS(Reconstruction(bench.decoder, empty), rvm::FrameError);

  const rvm::Tensor<float> features({2, 7, 24});
  CHECK_THROWS_WITH(Reconstruction(bench.decoder, features, 3, 3),
                    ContainsSubstring("[T, 10, 24]") && ContainsSubstring("found shape (2, 7, 24)"));
  CHECK_THROWS_AS(Reconstruction(bench.decoder, features[0], 2, 3), rvm::ArgumentError);
  CHECK_THROWS_AS(Reconstruction(bench.decoder, rvm::Tensor<float>({0, 7, 24}), 2, 3), rvm::ArgumentError);
  CHECK_THROWS_AS(Reconstruction(bench.decoder, rvm::Tensor<float>({2, 1, 24}), 0, 3), rvm::ArgumentError);
}

TEST_CASE("what cannot be a target is refused, and the reconstruction goes on") {
  const Bench<rvm::EigenCpu<>> bench;
  rvm::Reconstruction reconstruction(bench.decoder, bench.source);
  const rvm::MaskedFrame good{bench.frames[3], 7, {1, 4}};
  const rvm::Tensor<float> expected = reconstruction(std::span(&good, 1));
  const auto refuses = [&](const rvm::MaskedFrame& bad, const std::string& reason) {
    const std::vector<rvm::MaskedFrame> targets{good, bad};
    CHECK_THROWS_WITH(reconstruction(targets), ContainsSubstring("target 1: ") && ContainsSubstring(reason));
  };
  refuses({{}, 7, {1, 4}}, "empty");
  refuses({rvm::FrameView(bench.video.data(), 48, 32), 7, {1, 4}}, "expected a frame of 32x48");
  refuses({bench.frames[3], 64, {1, 4}}, "0 to 63 frames, found 64");
  refuses({bench.frames[3], static_cast<std::size_t>(-1), {1, 4}}, "0 to 63 frames");
  refuses({bench.frames[3], 7, {1}}, "2, found 1");
  refuses({bench.frames[3], 7, {}}, "2, found 0");
  refuses({bench.frames[3], 7, {1, 6}}, "0 to 5 on a grid of 2x3, found 6");
  refuses({bench.frames[3], 7, {4, 4}}, "the visible patch 4 is named twice");
  CHECK(test::difference(reconstruction(std::span(&good, 1)), expected) == 0);
}
