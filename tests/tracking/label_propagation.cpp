#include <rvm/tracking/label_propagation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"

namespace {

using rvm::PropagationOptions;
using rvm::Tensor;

/// The protocol once more, in double and plain loops: all labels, [T, h, w, C].
Tensor<float> plain(const Tensor<float>& features, const Tensor<float>& labels, const PropagationOptions& options) {
  const rvm::Shape& shape = features.shape();
  const std::size_t w = shape[2];
  const std::size_t tokens = shape[1] * w;
  const std::size_t width = shape[3];
  const std::size_t channels = labels.shape()[2];
  using Rows = std::vector<std::vector<double>>;
  const auto rows = [](const float* data, std::size_t count, std::size_t n, bool unit) {
    Rows out;
    for (std::size_t i = 0; i < count; ++i, data += n) {
      out.emplace_back(data, data + n);
      double squares = 0;
      for (const double v : out.back()) squares += v * v;
      for (double& v : out.back()) v /= unit && squares > 0 ? std::sqrt(squares) : 1;
    }
    return out;
  };
  struct Frame {
    Rows features;
    Rows labels;
  };
  struct Candidate {
    double score;
    const std::vector<double>* labels;
  };
  const Frame first{rows(features.data(), tokens, width, true), rows(labels.data(), tokens, channels, false)};
  std::vector<Frame> queue(options.context, first);
  Tensor<float> out({shape[0], shape[1], w, channels});
  for (std::size_t t = 0; t < shape[0]; ++t) {
    Frame present{rows(features[t].data(), tokens, width, true), Rows(tokens)};
    for (std::size_t q = 0; q < tokens; ++q) {
      std::vector<Candidate> candidates;
      for (std::size_t f = 0; f <= queue.size(); ++f) {
        const Frame& frame = f == 0 ? first : queue[f - 1];
        for (std::size_t k = 0; k < tokens; ++k) {
          const double dy = static_cast<double>(k / w) - static_cast<double>(q / w);
          const double dx = static_cast<double>(k % w) - static_cast<double>(q % w);
          if (f > 0 && !(std::sqrt(dy * dy + dx * dx) < static_cast<double>(options.radius))) continue;
          double dot = 0;
          for (std::size_t d = 0; d < width; ++d) dot += present.features[q][d] * frame.features[k][d];
          candidates.push_back({dot / static_cast<double>(options.temperature), &frame.labels[k]});
        }
      }
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
      candidates.resize(std::min(candidates.size(), options.top_k));
      double total = 0;
      for (const Candidate& c : candidates) total += std::exp(c.score - candidates[0].score);
      present.labels[q].resize(channels);
      for (const Candidate& c : candidates) {
        for (std::size_t i = 0; i < channels; ++i) {
          present.labels[q][i] += std::exp(c.score - candidates[0].score) / total * (*c.labels)[i];
        }
      }
      for (std::size_t i = 0; i < channels; ++i) {
        out.data()[(t * tokens + q) * channels + i] = static_cast<float>(present.labels[q][i]);
      }
    }
    queue.erase(queue.begin());
    queue.push_back(std::move(present));
  }
  return out;
}

/// All labels by the library, [T, h, w, C].
Tensor<float> propagated(const Tensor<float>& features, const Tensor<float>& labels,
                         const PropagationOptions& options) {
  const rvm::Shape& shape = features.shape();
  Tensor<float> out({shape[0], shape[1], shape[2], labels.shape()[2]});
  rvm::LabelPropagation propagation(features[0], labels, options);
  std::copy(propagation.labels().begin(), propagation.labels().end(), out.begin());
  for (std::size_t t = 1; t < shape[0]; ++t) {
    const auto result = propagation.step(features[t]);
    std::copy(result.begin(), result.end(), out[t].begin());
  }
  return out;
}

/// Features of a scene that changes slowly over place and time, so that whole tiles can be passed over; `noise` 1 is
/// noise alone.
Tensor<float> scene(test::Random& random, const rvm::Shape& shape, float noise) {
  Tensor<float> out(shape);
  const auto waves = random.numbers({shape[3], 4}, 3.0F);
  for (std::size_t t = 0; t < shape[0]; ++t) {
    for (std::size_t y = 0; y < shape[1]; ++y) {
      for (std::size_t x = 0; x < shape[2]; ++x) {
        for (std::size_t d = 0; d < shape[3]; ++d) {
          const float phase = waves(d, 0) * static_cast<float>(y) / 5 + waves(d, 1) * static_cast<float>(x) / 5 +
                              waves(d, 2) * static_cast<float>(t) / 10 + waves(d, 3);
          out(t, y, x, d) = (1 - noise) * std::sin(phase) + noise * random.number();
        }
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("the fixture's labels") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto features = file.at("features").as<float>();
  CHECK(test::difference(propagated(features, file.at("heatmap").as<float>(), {}), file.at("propagated").as<float>()) <
        1e-5);
  CHECK(test::difference(propagated(features, file.at("pose_heatmap").as<float>(), {}),
                         file.at("pose_propagated").as<float>()) < 1e-5);
}

TEST_CASE("against plain loops: any grid, width, context, radius and number of tokens") {
  test::Random random(1);
  for (int i = 0; i < 120; ++i) {
    const std::size_t h = random.between(1, 11);
    const std::size_t w = random.between(1, 13);
    const rvm::Shape shape{random.between(1, 7), h, w, random.between(3, 40)};
    const PropagationOptions options{
        .context = random.between(1, 5),
        .temperature = 0.05F + 0.5F * std::abs(random.number()),
        .top_k = i % 10 == 0 ? 100000 : random.between(1, 12),
        .radius = i % 7 == 0 ? std::numeric_limits<float>::infinity() : std::abs(random.number(12.0F)),
        .threads = random.between(1, 3)};
    const auto features = scene(random, shape, i % 3 == 0 ? 1.0F : 0.05F);
    const auto labels = random.numbers({h, w, random.between(1, 5)});
    CAPTURE(i, rvm::to_string(shape), options.context, options.top_k, options.radius);
    CHECK(test::difference(propagated(features, labels, options), plain(features, labels, options)) < 1e-5);
  }
}

TEST_CASE("of tokens that are equally alike, those of the earlier frame and place count") {
  test::Random random(2);
  for (int i = 0; i < 60; ++i) {
    // Features along the axes: every product is 0, 1 or -1, and most are equal to many others.
    const std::size_t width = random.between(1, 3);
    const rvm::Shape shape{random.between(2, 8), random.between(1, 9), random.between(1, 9), width};
    Tensor<float> features(shape);
    for (std::size_t at = 0; at < features.size(); at += width) {
      features.data()[at + random.between(0, width - 1)] = random.between(0, 1) == 0 ? -2.0F : 3.0F;
    }
    const PropagationOptions options{.context = random.between(1, 4),
                                     .top_k = random.between(1, 9),
                                     .radius = 1.0F + static_cast<float>(random.between(0, 5)),
                                     .threads = random.between(1, 3)};
    const auto labels = random.numbers({shape[1], shape[2], 2});
    CAPTURE(i, rvm::to_string(shape), options.context, options.top_k, options.radius);
    CHECK(test::difference(propagated(features, labels, options), plain(features, labels, options)) < 1e-5);
  }
}

TEST_CASE("the radius is strict, and the first frame is not restricted") {
  // A line of tokens; the present frame's last one looks like the first one only.
  Tensor<float> features({3, 1, 6, 6});
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t x = 0; x < 6; ++x) features(t, 0, x, x) = 1.0F;
  }
  for (std::size_t d = 0; d < 6; ++d) features(2, 0, 5, d) = features(1, 0, 0, d);
  Tensor<float> labels({1, 6, 1});
  labels(0, 0, 0) = 1.0F;
  const auto last = [&](float radius, std::size_t top_k) {
    const auto all =
        propagated(features, labels, {.context = 1, .temperature = 0.01F, .top_k = top_k, .radius = radius});
    return all(2, 0, 5, 0);
  };
  CHECK(std::abs(last(5.0F, 1) - 1.0F) < 1e-6F);   // the first frame's
  CHECK(std::abs(last(5.0F, 2) - 1.0F) < 1e-6F);   // the second best is worth nothing
  CHECK(std::abs(last(5.01F, 2) - 1.0F) < 1e-6F);  // both frames'
  labels(0, 0, 0) = 0.0F;
  CHECK(std::abs(last(5.0F, 2)) < 1e-6F);
}

TEST_CASE("labels are the same to the last bit for any number of threads") {
  test::Random random(3);
  const auto features = scene(random, {6, 13, 18, 20}, 0.1F);
  const auto labels = random.numbers({13, 18, 3});
  const auto one = propagated(features, labels, {.threads = 1});
  for (const std::size_t threads : {2U, 5U, 0U}) {
    CHECK(std::ranges::equal(propagated(features, labels, {.threads = threads}), one));
  }
}

TEST_CASE("features of any length, and of none") {
  test::Random random(4);
  const rvm::Shape shape{4, 6, 7, 9};
  auto features = scene(random, shape, 0.2F);
  const auto labels = random.numbers({6, 7, 2});
  const PropagationOptions options{.context = 2, .radius = 4};
  const auto expected = propagated(features, labels, options);
  auto scaled = features;
  for (std::size_t i = 0; i < scaled.size(); ++i) scaled.data()[i] *= i / 9 % 2 == 0 ? 1e-30F : 1e30F;
  CHECK(test::difference(propagated(scaled, labels, options), expected) < 1e-5);

  for (std::size_t t = 0; t < 4; ++t) std::ranges::fill(features[t][2][3], 0.0F);
  std::ranges::fill(features[3], 0.0F);
  CHECK(test::difference(propagated(features, labels, options), plain(features, labels, options)) < 1e-5);
}

TEST_CASE("a step allocates nothing, from the first on") {
  test::Random random(5);
  const auto features = scene(random, {30, 9, 10, 24}, 0.1F);
  rvm::LabelPropagation propagation(features[0], random.numbers({9, 10, 4}), {.threads = 2});
  const std::size_t before = test::allocations();
  for (std::size_t t = 1; t < 30; ++t) propagation.step(features[t]);
  if (test::allocations_are_counted()) CHECK(test::allocations() == before);
  CHECK(propagation.frames() == 30);
}

TEST_CASE("a step that throws leaves everything as it was") {
  test::Random random(6);
  const auto features = scene(random, {6, 5, 6, 8}, 0.1F);
  const auto labels = random.numbers({5, 6, 2});
  const auto expected = propagated(features, labels, {.context = 2});
  rvm::LabelPropagation propagation(features[0], labels, {.context = 2});
  for (std::size_t t = 1; t < 6; ++t) {
    auto bad = features;
    bad(t, 3, 4, 5) = t % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH(propagation.step(bad[t]), ContainsSubstring("token (3, 4) are not finite"));
    CHECK_THROWS_AS(propagation.step(features), rvm::ArgumentError);
    CHECK(std::ranges::equal(propagation.labels(), expected[t - 1]));
    CHECK(propagation.frames() == t);
    CHECK(std::ranges::equal(propagation.step(features[t]), expected[t]));
  }
  rvm::LabelPropagation moved = std::move(propagation);
  CHECK(std::ranges::equal(moved.labels(), expected[5]));
  CHECK(moved.step(features[0]).shape() == moved.labels_shape());
}

TEST_CASE("what cannot be propagated is refused with what was expected and found") {
  const Tensor<float> features = test::Random(7).numbers({4, 5, 8});
  const Tensor<float> labels({4, 5, 2});
  const auto make = [&](const Tensor<float>& f, const Tensor<float>& l, const PropagationOptions& options = {}) {
    rvm::LabelPropagation propagation(f, l, options);
  };
  CHECK_THROWS_WITH(make(Tensor<float>({4, 5}), labels), ContainsSubstring("[h, w, D], found shape (4, 5)"));
  CHECK_THROWS_AS(make(Tensor<float>({4, 5, 0}), labels), rvm::ArgumentError);
  CHECK_THROWS_AS(make(Tensor<float>(), labels), rvm::ArgumentError);
  CHECK_THROWS_WITH(make(features, Tensor<float>({5, 4, 2})), ContainsSubstring("[4, 5, C], found shape (5, 4, 2)"));
  CHECK_THROWS_AS(make(features, Tensor<float>({4, 5, 0})), rvm::ArgumentError);
  CHECK_THROWS_AS(make(features, Tensor<float>({4, 5})), rvm::ArgumentError);
  CHECK_THROWS_WITH(make(features, labels, {.context = 0}), ContainsSubstring("context"));
  CHECK_THROWS_WITH(make(features, labels, {.top_k = 0}), ContainsSubstring("top_k"));
  for (const float bad : {0.0F, 1e-39F, -1.0F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    CHECK_THROWS_WITH(make(features, labels, {.temperature = bad}), ContainsSubstring("temperature"));
  }
  for (const float bad : {-1.0F, std::nanf("")}) {
    CHECK_THROWS_WITH(make(features, labels, {.radius = bad}), ContainsSubstring("radius"));
  }
  CHECK_THROWS_WITH(make(features, labels, {.context = 1U << 30}), ContainsSubstring("too large"));
  auto bad = features;
  bad(1, 2, 3) = std::nanf("");
  CHECK_THROWS_WITH(make(bad, labels), ContainsSubstring("token (1, 2)"));

  rvm::LabelPropagation propagation(features, labels);
  CHECK_THROWS_WITH(propagation.step(Tensor<float>({4, 5, 9})),
                    ContainsSubstring("expected features of shape (4, 5, 8)") && ContainsSubstring("found (4, 5, 9)"));
  CHECK_THROWS_AS(propagation.step(Tensor<float>({5, 4, 8})), rvm::ArgumentError);
  CHECK_THROWS_AS(propagation.step(Tensor<float>()), rvm::ArgumentError);
}
