#include <rvm/tracking/label_propagation.hpp>

#include <cstddef>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"

TEST_CASE("the fixture's labels") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const auto features = file.at("features").as<float>();
  for (const auto& [labels, answer] : {std::pair{"heatmap", "propagated"}, {"pose_heatmap", "pose_propagated"}}) {
    const auto expected = file.at(answer).as<float>();
    rvm::LabelPropagation propagation(features[0], file.at(labels).as<float>());
    CHECK(test::difference(propagation.labels(), expected[0]) < 1e-5);
    for (std::size_t t = 1; t < features.shape()[0]; ++t) {
      CHECK(test::difference(propagation.step(features[t]), expected[t]) < 1e-5);
    }
  }
}
