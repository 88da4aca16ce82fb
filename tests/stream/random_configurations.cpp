// Models, grids, batches, threads and instruction sets at random, against the model in double and plain loops.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/instruction_sets.hpp"
#include "support/random.hpp"
#include "support/reference.hpp"

namespace {

struct Case {
  rvm::Config config;
  std::size_t h;
  std::size_t w;
  std::size_t batch;
  std::size_t steps;
  std::size_t chunk;  // of a clip at once, or 0: step by step
  std::size_t threads;
  rvm::Isa isa;
};

rvm::TransformerConfig random_transformer(test::Random& random) {
  return {random.between(1, 3), random.between(1, 4), random.between(1, 20), random.between(1, 60)};
}

Case random_case(test::Random& random) {
  Case c;
  c.config = {random.between(8, 48), random_transformer(random), random_transformer(random), {}};
  c.h = random.between(1, 4);
  c.w = random.between(1, 4);
  c.batch = random.between(1, 3);
  c.steps = random.between(1, 3);
  c.chunk = random.between(0, 3);
  c.threads = random.between(1, 3);
  const std::vector<rvm::Isa> isas = test::instruction_sets();
  c.isa = isas[random.between(0, isas.size() - 1)];
  return c;
}

template <class B>
rvm::Model<B> model_of(const rvm::Weights& weights, const Case& c) {
  if constexpr (requires(typename B::Options options) { options.isa; }) {
    return rvm::Model<B>(weights, {.threads = c.threads, .isa = c.isa});
  } else {
    return rvm::Model<B>(weights, {.threads = c.threads});
  }
}

/// How far the last features are off.
struct Errors {
  double largest = 0;  // difference
  double squares = 0;  // sums of squares: of the differences,
  double size = 0;     // of the features
  double relative() const { return std::sqrt(squares / size); }
};

template <class B>
Errors errors(const Case& c, std::uint64_t seed) {
  const rvm::Weights weights = rvm::random_weights(c.config, seed);
  const auto video = test::Random(seed).bytes({c.steps * c.batch, 16 * c.h, 16 * c.w, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream<B> stream(
      model_of<B>(weights, c),
      {.height = 16 * c.h, .width = 16 * c.w, .batch = c.batch, .chunk = std::max<std::size_t>(1, c.chunk)});
  if (c.chunk == 0) {
    for (std::size_t t = 0; t < c.steps; ++t) stream.step(std::span(frames).subspan(t * c.batch, c.batch));
  } else {
    static_cast<void>(stream.run(frames));
  }
  const auto found = stream.features().values();
  const test::Reference reference(weights);
  Errors out;
  for (std::size_t b = 0; b < c.batch; ++b) {
    test::Reference::Matrix state;
    for (std::size_t t = 0; t < c.steps; ++t) {
      state = reference.step(test::pixels_of(frames[t * c.batch + b]), 16 * c.h, 16 * c.w, state);
    }
    const auto video_found = found[b];
    for (std::size_t i = 0; i < state.values.size(); ++i) {
      const double d = static_cast<double>(video_found.data()[i]) - state.values[i];
      out.largest = std::isfinite(d) ? std::max(out.largest, std::abs(d)) : std::numeric_limits<double>::infinity();
      out.squares += d * d;
      out.size += state.values[i] * state.values[i];
    }
  }
  return out;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("random configurations agree with plain loops in double", "", test::AllBackends) {
  constexpr std::size_t kCases = 500;
  Errors all;
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    test::Random random(seed);
    const Case c = random_case(random);
    const Errors found = errors<TestType>(c, seed);
    all.largest = std::max(all.largest, found.largest);
    all.squares += found.squares;
    all.size += found.size;
    CAPTURE(seed, c.config.width, c.h, c.w, c.batch, c.steps, c.chunk, c.threads, static_cast<int>(c.isa));
    if constexpr (test::kExact<TestType>) {
      CHECK(found.largest < 1e-5);
    } else {
      CHECK(found.relative() < (test::kBytes<TestType> ? 0.1 : 0.02));
    }
  }
  CAPTURE(all.largest);
  CHECK(all.relative() < (test::kExact<TestType> ? 1e-6 : test::kBytes<TestType> ? 0.018 : 0.006));
}
