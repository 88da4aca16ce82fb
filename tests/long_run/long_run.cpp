// Errors do not grow with the video: 32 frames of a model of the published size S on every backend, against the
// portable one in float, which full_size holds to the float64 answers.

#include <cstdint>
#include <vector>

#include <rvm/rvm.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

rvm::Weights some_weights() {
  rvm::Config config = rvm::Config::variant("S");
  config.decoder.reset();
  return rvm::random_weights(config, 1);
}

constexpr std::size_t kSide = 128;

template <class B>
std::vector<float> last_features() {
  const rvm::Tensor<std::uint8_t> video = test::Random(1).bytes({8, kSide, kSide, 3});
  const std::vector<rvm::FrameView> frames = test::frames_of(video);
  rvm::Stream stream(rvm::Model<B>(some_weights()), {.height = kSide, .width = kSide});
  for (std::size_t t = 0; t < 31; ++t) stream.step(frames[t % frames.size()]);
  const auto values = stream.step(frames[31 % frames.size()]).values();
  return {values.begin(), values.end()};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("errors do not grow over 32 frames", "", test::AllBackends) {
  static const std::vector<float> expected = last_features<rvm::EigenCpu<float>>();
  const double error = test::error<TestType>(last_features<TestType>(), expected);
  CAPTURE(error);
  CHECK(error < (test::kBytes<TestType> ? 0.03 : test::limit<TestType>(1e-4, 0.006)));
}
