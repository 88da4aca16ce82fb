// The authors' answers.

#include <string>
#include <vector>

#include <rvm/rvm.hpp>

#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/tiled_backends.hpp"

namespace {
constexpr double kTolerance = 2e-5;
}

TEMPLATE_LIST_TEST_CASE("features are those of the authors' model, step by step", "", test::AllBackends) {
  const std::string name = GENERATE(as<std::string>(), "features_64x64.npz", "features_96x160.npz",
                                    "features_256x256.npz", "features_320x288.npz");
  CAPTURE(name);
  const test::Clip clip(name);
  const rvm::Model<TestType> model(test::small_weights());
  rvm::Stream<TestType> stream(model, {.height = clip.height(), .width = clip.width()});
  REQUIRE(clip.frames.size() == clip.features.shape()[0]);
  for (std::size_t t = 0; t < clip.frames.size(); ++t) {
    CAPTURE(t);
    const rvm::Features features = stream.step(clip.frames[t]);
    CHECK(test::error<TestType>(features.values(), clip.features[t]) < test::limit<TestType>(kTolerance));
  }
}

TEMPLATE_LIST_TEST_CASE("a clip run at once gives the authors' features", "", test::TiledBackends) {
  const test::Clip clip("features_96x160.npz");
  rvm::Stream stream(rvm::Model<TestType>(test::small_weights()), {.height = clip.height(), .width = clip.width()});
  const rvm::Tensor<float> features = stream.run(clip.frames);
  CHECK(features.shape() == clip.features.shape());
  CHECK(test::error<TestType>(features, clip.features) < test::limit<TestType>(kTolerance));
}

TEMPLATE_LIST_TEST_CASE("a batch of videos gives the authors' features of each", "", test::AllBackends) {
  const test::Clip clip("batch_64x64.npz");
  const std::size_t batch = clip.video.shape()[0];
  const std::size_t steps = clip.video.shape()[1];
  rvm::Stream stream(rvm::Model<TestType>(test::small_weights()),
                     {.height = clip.height(), .width = clip.width(), .batch = batch});
  for (std::size_t t = 0; t < steps; ++t) {
    std::vector<rvm::FrameView> frames;
    for (std::size_t b = 0; b < batch; ++b) frames.push_back(clip.frames[b * steps + t]);
    const rvm::Features features = stream.step(frames);
    for (std::size_t b = 0; b < batch; ++b) {
      CAPTURE(t, b);
      CHECK(test::error<TestType>(features.values()[b], clip.features[b][t]) < test::limit<TestType>(kTolerance));
    }
  }
}
