// Steps a frame with oneDNN.

#include <cstdint>
#include <cstdio>
#include <vector>

#include <rvm/backend/onednn.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

int main() {
  const rvm::Model<rvm::OneDnn<float>> model(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}}));
  rvm::Stream stream(model, {.height = 32, .width = 48});
  const std::vector<std::uint8_t> pixels(32 * 48 * 3, 100);
  const rvm::Features features = stream.step(rvm::FrameView(pixels.data(), 32, 48));
  std::printf("%s\n", to_string(features.tokens().shape()).c_str());
  return features.tokens().shape() == rvm::Shape{2, 3, 24} ? 0 : 1;
}
