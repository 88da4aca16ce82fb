#include <rvm/model/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/temp_dir.hpp"

#include <rvm/weights/load.hpp>

namespace {

const rvm::Config kConfig{32, {1, 4, 8, 64}, {1, 2, 16, 48}, rvm::DecoderConfig{16, {1, 4, 4, 20}}};

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments moments(const rvm::Tensor<float>& values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const float v : values) m.mean += static_cast<double>(v) / n;
  for (const float v : values) m.deviation += (static_cast<double>(v) - m.mean) * (static_cast<double>(v) - m.mean) / n;
  m.deviation = std::sqrt(m.deviation);
  return m;
}

}  // namespace

TEST_CASE("random weights depend on configuration and seed alone") {
  const rvm::Weights a = rvm::random_weights(kConfig, 7);
  const rvm::Weights b = rvm::random_weights(kConfig, 7);
  const rvm::Weights c = rvm::random_weights(kConfig, 8);
  CHECK(a.size() == rvm::checkpoint_layout(kConfig).size());
  for (const std::string& key : a.keys()) {
    CAPTURE(key);
    CHECK(test::difference(a.at(key).as<float>(), b.at(key).as<float>()) == 0);
    CHECK(test::difference(a.at(key).as<float>(), c.at(key).as<float>()) > 0);
  }
  // The same bits on every machine and in every version: files made elsewhere belong to them.
  const rvm::Tensor<float> kernel = a.at("encoder/layers_0/mlp/dense_in/kernel").as<float>();
  CHECK(kernel(0, 0) == -0x1.7d5adc0000000p-7F);
  CHECK(kernel(31, 63) == -0x1.b63a9e0000000p-6F);
}

TEST_CASE("random weights have the spread that their role asks for") {
  const rvm::Weights weights = rvm::random_weights(kConfig);
  const auto of = [&](const char* key) { return moments(weights.at(key).as<float>()); };
  CHECK(of("encoder/layers_0/mlp/dense_out/kernel").deviation == Approx(1 / std::sqrt(64.0)).epsilon(0.1));
  CHECK(of("rnn_core/transformer/xa_blocks_0/attention/out/kernel").deviation ==
        Approx(1 / std::sqrt(32.0)).epsilon(0.1));
  CHECK(of("tokenizer/patch_embedding/Conv_0/kernel").deviation == Approx(3 / std::sqrt(768.0)).epsilon(0.1));
  CHECK(of("encoder/LayerNorm_0/scale").mean == Approx(1).epsilon(0.1));
  CHECK(of("encoder/LayerNorm_0/bias").deviation == Approx(0.1).epsilon(0.4));
  for (const std::string& key : weights.keys()) {
    CAPTURE(key);
    CHECK(of(key.c_str()).deviation > 0.01);
  }
}

TEST_CASE("random weights can be written out and come back in either format") {
  const test::TempDir dir;
  const rvm::Weights weights = rvm::random_weights(kConfig, 3);
  rvm::save_npz(dir / "w.npz", weights);
  rvm::save_safetensors(dir / "w.safetensors", weights);
  for (const char* name : {"w.npz", "w.safetensors"}) {
    const rvm::Weights back = rvm::load_weights(dir / name);
    CHECK(back.size() == weights.size());
    for (const std::string& key : weights.keys()) {
      CAPTURE(name, key);
      CHECK(back.at(key).shape() == weights.at(key).shape());
      CHECK(test::difference(back.at(key).as<float>(), weights.at(key).as<float>()) == 0);
    }
  }
}
