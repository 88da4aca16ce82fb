#include <rvm/tracking/masks.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"

TEST_CASE("the fixture's mask becomes its heat map, and its propagated labels its masks") {
  const rvm::Weights file = rvm::load_npz(test::data("tracking.npz"));
  const rvm::MaskHeatmap heatmap = rvm::mask_to_heatmap(file.at("mask").as<std::uint8_t>(), 10, 24, 160, 384);
  CHECK(std::ranges::equal(heatmap.labels, file.at("labels").as<std::uint8_t>()));
  CHECK(test::difference(heatmap.values, file.at("heatmap").as<float>()) < 1e-6);
  const auto propagated = file.at("propagated").as<float>();
  const auto expected = file.at("masks").as<std::uint8_t>();
  std::size_t wrong = 0;
  for (std::size_t t = 0; t < propagated.shape()[0]; ++t) {
    const rvm::LabelImage mask = rvm::heatmap_to_mask(propagated[t], heatmap.labels, 160, 384, 151, 377);
    for (std::size_t i = 0; i < mask.size(); ++i) wrong += mask.data()[i] != expected[t].data()[i];
  }
  CAPTURE(wrong);
  CHECK(static_cast<double>(wrong) < 0.002 * static_cast<double>(expected.size()));
}

TEST_CASE("decoding is enlarging, choosing and resizing, one after the other") {
  test::Random random(1);
  for (int i = 0; i < 60; ++i) {
    const std::size_t h = random.between(1, 6);
    const std::size_t w = random.between(1, 6);
    const std::size_t height = random.between(1, 60);
    const std::size_t width = random.between(1, 60);
    std::vector<std::uint8_t> labels(random.between(1, 5));
    for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random.between(0, 255));
    auto heatmap = random.numbers({h, w, labels.size()});
    if (i % 3 == 0) {  // equal values: the first label wins
      for (float& v : heatmap) v = v < 0 ? 0.0F : 1.0F;
    }
    const auto large = rvm::resize_bilinear(heatmap, height, width);
    rvm::LabelImage chosen({height, width});
    for (std::size_t p = 0; p < chosen.size(); ++p) {
      const float* const values = large.data() + p * labels.size();
      chosen.data()[p] = labels[static_cast<std::size_t>(std::max_element(values, values + labels.size()) - values)];
    }
    const rvm::LabelImage expected = rvm::resize_nearest_exact(chosen, random.between(1, 90), random.between(1, 90));
    const auto found = rvm::heatmap_to_mask(heatmap, labels, height, width, expected.shape()[0], expected.shape()[1]);
    std::size_t wrong = 0;
    for (std::size_t p = 0; p < found.size(); ++p) wrong += found.data()[p] != expected.data()[p];
    CAPTURE(i, h, w, height, width);
    CHECK(wrong <= (i % 3 == 0 ? found.size() / 50 : 0));  // values that are equal but for rounding
  }
}

TEST_CASE("a mask of aligned blocks becomes whole tokens, and those the mask") {
  rvm::LabelImage mask({48, 64});
  for (std::size_t y = 16; y < 32; ++y) {
    for (std::size_t x = 32; x < 64; ++x) mask(y, x) = 9;
  }
  const rvm::MaskHeatmap heatmap = rvm::mask_to_heatmap(mask, 3, 4, 48, 64);
  CHECK(heatmap.labels == std::vector<std::uint8_t>{0, 9});
  for (std::size_t y = 0; y < 3; ++y) {
    for (std::size_t x = 0; x < 4; ++x) {
      const float expected = y == 1 && x >= 2 ? 1.0F : 0.0F;
      CHECK(heatmap.values(y, x, 1) == expected);
      CHECK(heatmap.values(y, x, 0) == 1.0F - expected);
    }
  }
  // Bilinear enlarging rounds corners off and leaves the rest.
  const rvm::LabelImage back = rvm::heatmap_to_mask(heatmap.values, heatmap.labels, 48, 64, 48, 64);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < back.size(); ++i) {
    wrong += back.data()[i] != mask.data()[i];
    CHECK(back.data()[i] <= mask.data()[i]);
  }
  CHECK(wrong > 0);
  CHECK(wrong < 64);
  for (std::size_t x = 40; x < 64; ++x) {
    CHECK(back(15, x) == 0);
    CHECK(back(16, x) == 9);
    CHECK(back(31, x) == 9);
    CHECK(back(32, x) == 0);
  }
}

TEST_CASE("what is no mask or no heat map is refused") {
  const rvm::LabelImage mask({4, 5});
  CHECK_THROWS_AS(rvm::mask_to_heatmap(rvm::LabelImage({4, 5, 1}), 1, 1, 16, 16), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::mask_to_heatmap(rvm::LabelImage({0, 5}), 1, 1, 16, 16), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::mask_to_heatmap(mask, 0, 1, 16, 16), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::mask_to_heatmap(mask, 1, 1, 0, 16), rvm::ArgumentError);
  const std::vector<std::uint8_t> labels{0, 1};
  CHECK_THROWS_AS(rvm::MaskDecoder(2, 3, {}, 32, 48), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::MaskDecoder(2, 3, labels, 0, 48), rvm::ArgumentError);
  rvm::MaskDecoder decoder(2, 3, labels, 32, 48);
  rvm::LabelImage out({5, 5});
  CHECK_THROWS_WITH(decoder.decode(rvm::Tensor<float>({2, 3, 3}), out), ContainsSubstring("(2, 3, 2)"));
  rvm::LabelImage line({5});
  CHECK_THROWS_AS(decoder.decode(rvm::Tensor<float>({2, 3, 2}), line), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::heatmap_to_mask(rvm::Tensor<float>({2, 3}), labels, 32, 48, 5, 5), rvm::ArgumentError);
}
