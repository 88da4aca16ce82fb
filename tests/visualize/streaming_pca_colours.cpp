#include <rvm/visualize/streaming_pca_colours.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <rvm/visualize/pca_colours.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

constexpr std::size_t kWidth = 32;

/// Frames of features [12, 15, D] around hidden values along D directions at right angles, of given deviations and
/// with a mean far from 0. With time the values change by noise and by drifting apart.
class Scene {
 public:
  explicit Scene(std::vector<float> deviations, float noise)
      : deviations_(std::move(deviations)), noise_(noise), hidden_(random_.numbers({12, 15, deviations_.size()})) {
    rvm::Tensor<float> directions = random_.numbers({kWidth, kWidth});
    // Householder's reflection, whose columns are at right angles.
    double square = 0;
    for (std::size_t d = 0; d < kWidth; ++d) square += std::pow(double{directions(0, d)}, 2);
    for (std::size_t i = 0; i < kWidth; ++i) {
      for (std::size_t d = 0; d < kWidth; ++d) {
        directions_(i, d) = (i == d ? 1.0F : 0.0F) -
                            static_cast<float>(2 * double{directions(0, i)} * double{directions(0, d)} / square);
      }
    }
  }

  const rvm::Tensor<float>& directions() const { return directions_; }

  rvm::Tensor<float> frame(float drift, float noise) {
    rvm::Tensor<float> out({12, 15, kWidth});
    for (std::size_t y = 0; y < 12; ++y) {
      for (std::size_t x = 0; x < 15; ++x) {
        for (std::size_t d = 0; d < kWidth; ++d) out(y, x, d) = 5.0F + random_.number(noise);
        for (std::size_t k = 0; k < deviations_.size(); ++k) {
          // Later directions gain and earlier ones lose, so that they change places.
          const float gain = 1 + drift * (static_cast<float>(k) - 1.5F);
          for (std::size_t d = 0; d < kWidth; ++d) {
            out(y, x, d) += gain * deviations_[k] * hidden_(y, x, k) * directions_(k, d);
          }
        }
      }
    }
    return out;
  }
  rvm::Tensor<float> frame(float drift = 0) { return frame(drift, noise_); }
  rvm::Tensor<float> still() { return frame(0, 0); }

 private:
  std::vector<float> deviations_;
  float noise_;
  test::Random random_{11};
  rvm::Tensor<float> hidden_;
  rvm::Tensor<float> directions_{rvm::Shape{kWidth, kWidth}};
};

double dot(rvm::TensorView<const float> a, rvm::TensorView<const float> b) {
  double sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += double{a.data()[d]} * double{b.data()[d]};
  return sum;
}

float largest_change(const rvm::Image& a, const rvm::Image& b) {
  float change = 0;
  for (std::size_t i = 0; i < a.floats().size(); ++i) {
    change = std::max(change, std::abs(a.floats().data()[i] - b.floats().data()[i]));
  }
  return change;
}

void check_at_right_angles(const rvm::StreamingPcaColours& colours) {
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      CHECK(dot(colours.directions()[i], colours.directions()[j]) == Approx(i == j ? 1 : 0).margin(1e-5));
    }
  }
}

}  // namespace

TEST_CASE("streaming colours find three known directions, strongest first") {
  Scene scene({5, 2, 1}, 0.05F);
  rvm::StreamingPcaColours colours;
  for (int t = 0; t < 16; ++t) colours.observe(scene.frame());
  CHECK(colours.frames() == 16);
  check_at_right_angles(colours);
  for (std::size_t c = 0; c < 3; ++c) {
    CAPTURE(c);
    CHECK(std::abs(dot(colours.directions()[c], scene.directions()[c])) > 0.99);
  }
}

TEST_CASE("a mean far from the origin changes nothing") {
  Scene scene({3, 2, 1.5F, 1}, 0.1F);
  rvm::Tensor<float> frame = scene.frame();
  rvm::StreamingPcaColours near({.warmup = 1, .rate = 0});
  const rvm::Image expected = near(frame);
  for (float& v : frame) v += 500;
  rvm::StreamingPcaColours far({.warmup = 1, .rate = 0});
  CHECK(largest_change(far(frame), expected) < 0.01F);
}

TEST_CASE("fitted to a warmup, streaming colours are near those of the clip") {
  Scene scene({3, 2, 1.5F, 0.5F}, 0.1F);
  rvm::Tensor<float> clip({16, 12, 15, kWidth});
  rvm::StreamingPcaColours colours;
  for (std::size_t t = 0; t < 16; ++t) {
    const rvm::Tensor<float> frame = scene.frame();
    std::copy(frame.begin(), frame.end(), clip[t].begin());
    colours.observe(frame);
  }
  const rvm::PcaColours whole(clip);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(dot(colours.directions()[c], whole.pca().components()[c]) > 0.99);  // signs too
  }
  CHECK(largest_change(colours.paint(clip[3]), whole(clip[3])) < 0.15F);
}

TEST_CASE("the first frame has the colours that it has by itself") {
  Scene scene({3, 2, 1.5F}, 0.01F);
  const rvm::Tensor<float> frame = scene.frame();
  // One frame to warm up: all of its features are in the sample, so the answer is that of the full decomposition.
  rvm::StreamingPcaColours colours({.warmup = 1, .rate = 0});
  CHECK(largest_change(colours(frame), rvm::PcaColours(frame)(frame)) < 1e-3F);
}

TEST_CASE("colours of a fixed feature do not flicker where refitting does") {
  // Four directions of nearly equal strength that change places: what refitting shows flips and swaps.
  Scene scene({1.03F, 1.02F, 1.01F, 1}, 0.5F);
  const rvm::Tensor<float> still = scene.still();
  rvm::StreamingPcaColours colours;
  rvm::Image before;
  rvm::Image refitted_before;
  float change = 0;
  float warmup_change = 0;
  float refitted_change = 0;
  for (int t = 0; t < 200; ++t) {
    const rvm::Tensor<float> frame = scene.frame(0.001F * static_cast<float>(t));
    colours.observe(frame);
    const rvm::Image now = colours.paint(still);
    const rvm::Image refitted = rvm::PcaColours(frame)(still);
    if (t > 0) {
      (t < 16 ? warmup_change : change) = std::max(t < 16 ? warmup_change : change, largest_change(now, before));
      refitted_change = std::max(refitted_change, largest_change(refitted, refitted_before));
    }
    before = now;
    refitted_before = refitted;
  }
  check_at_right_angles(colours);
  CHECK(refitted_change > 0.9F);
  CHECK(warmup_change < 0.3F);
  CHECK(change < 0.02F);
}

TEST_CASE("colours follow a video that becomes another, slowly") {
  Scene first({3, 2, 1.5F}, 0.05F);
  Scene second({0.1F, 0.1F, 0.1F, 4, 3, 2}, 0.05F);  // along other directions
  rvm::StreamingPcaColours colours({.warmup = 8, .rate = 0.05F});
  for (int t = 0; t < 20; ++t) colours(first.frame());
  const rvm::Tensor<float> still = second.still();
  rvm::Image before = colours.paint(still);
  float change = 0;
  for (int t = 0; t < 400; ++t) {
    colours.observe(second.frame());
    const rvm::Image now = colours.paint(still);
    change = std::max(change, largest_change(now, before));
    before = now;
  }
  CHECK(change < 0.25F);
  check_at_right_angles(colours);
  // The same three directions, in any order and turn.
  for (std::size_t k = 3; k < 6; ++k) {
    double square = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      square += std::pow(dot(colours.directions()[c], second.directions()[k]), 2);
    }
    CHECK(square > 0.98);
  }
  const auto [low, high] = std::minmax_element(before.floats().begin(), before.floats().end());
  CHECK(*low < 0.05F);
  CHECK(*high > 0.95F);
}

TEST_CASE("held colours stay as the warmup has left them") {
  Scene scene({3, 2, 1.5F, 1}, 0.2F);
  const rvm::Tensor<float> still = scene.still();
  rvm::StreamingPcaColours colours({.warmup = 4, .rate = 0});
  for (int t = 0; t < 4; ++t) colours(scene.frame());
  const rvm::Image held = colours.paint(still);
  for (int t = 0; t < 20; ++t) colours(scene.frame(0.02F * static_cast<float>(t)));
  CHECK(largest_change(colours.paint(still), held) == 0);
  CHECK(colours.frames() == 4);
}

TEST_CASE("features that do not vary, or along few directions only, have colours too") {
  const rvm::Tensor<float> none({3, 4, 5});
  rvm::StreamingPcaColours flat;
  for (int t = 0; t < 20; ++t) {
    const rvm::Image& image = flat(none);
    CHECK(std::all_of(image.floats().begin(), image.floats().end(), [](float v) { return v == 0.5F; }));
  }
  check_at_right_angles(flat);

  Scene line({2}, 0);
  rvm::StreamingPcaColours colours;
  for (int t = 0; t < 30; ++t) {
    const rvm::Image& image = colours(line.frame());
    CHECK(std::all_of(image.floats().begin(), image.floats().end(), [](float v) { return v >= 0 && v <= 1; }));
  }
  check_at_right_angles(colours);
  CHECK(std::abs(dot(colours.directions()[0], line.directions()[0])) > 0.999);

  rvm::StreamingPcaColours one;  // a single feature of three numbers
  CHECK(one(rvm::Tensor<float>({1, 1, 3})).floats()(0, 0, 0) == 0.5F);
}

TEST_CASE("the number of features may change, and a copy goes its own way") {
  test::Random random(2);
  rvm::StreamingPcaColours colours({.warmup = 3, .rate = 0.1F});
  for (const std::size_t side : {20U, 2U, 30U, 1U, 40U, 40U}) colours(random.numbers({side, side, 6}));
  rvm::StreamingPcaColours copy = colours;
  const rvm::Tensor<float> frame = random.numbers({5, 5, 6});
  const rvm::Image before = colours.paint(frame);
  for (int t = 0; t < 10; ++t) copy(random.numbers({9, 9, 6}, 3));
  CHECK(largest_change(colours.paint(frame), before) == 0);
  CHECK(largest_change(copy.paint(frame), before) > 0);
}

TEST_CASE("what has no colours is refused, and changes nothing") {
  for (const std::size_t warmup : {std::size_t{0}, std::size_t{1025}, std::numeric_limits<std::size_t>::max()}) {
    CHECK_THROWS_AS(rvm::StreamingPcaColours({.warmup = warmup}), rvm::ArgumentError);
  }
  for (const float rate : {-0.1F, 1.0F, std::numeric_limits<float>::quiet_NaN()}) {
    CHECK_THROWS_AS(rvm::StreamingPcaColours({.rate = rate}), rvm::ArgumentError);
  }
  rvm::StreamingPcaColours colours;
  CHECK_THROWS_AS(colours.paint(rvm::Tensor<float>({2, 2, 4})), rvm::ArgumentError);
  const rvm::Tensor<float> frame = test::Random(1).numbers({4, 4, 6});
  const rvm::Image before = colours(frame);
  CHECK_THROWS_AS(colours(rvm::Tensor<float>({4, 6})), rvm::ArgumentError);
  CHECK_THROWS_AS(colours(rvm::Tensor<float>({0, 4, 6})), rvm::ArgumentError);
  CHECK_THROWS_AS(colours(rvm::Tensor<float>({4, 4, 2})), rvm::ArgumentError);
  CHECK_THROWS_WITH(colours(rvm::Tensor<float>({4, 4, 7})), ContainsSubstring("expected features of 6 numbers"));
  rvm::Tensor<float> broken = frame;
  broken(3, 3, 5) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(colours(broken), rvm::ArgumentError);
  CHECK(colours.frames() == 1);
  CHECK(largest_change(colours.paint(frame), before) == 0);
  CHECK(colours.paint(broken).floats()(3, 3, 0) == 0);  // painted black, not passed on
}

TEST_CASE("a steady frame allocates nothing") {
  if (!test::allocations_are_counted()) return;
  const rvm::Tensor<float> frame = test::Random(1).numbers({30, 55, 384});
  rvm::StreamingPcaColours colours({.warmup = 2});
  for (int t = 0; t < 4; ++t) colours(frame);
  const std::size_t before = test::allocations();
  for (int t = 0; t < 3; ++t) colours(frame);
  CHECK(test::allocations() == before);
}
