// Steps a frame on a GPU, or says that there is none.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

#include <rvm/backend/cuda.hpp>
#include <rvm/core/error.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

int main() {
  constexpr std::size_t kSide = 32;
  const std::vector<std::uint8_t> pixels(kSide * kSide * 3, 100);
  try {
    const rvm::Model<rvm::Cuda<rvm::bfloat16>> model(rvm::random_weights({24, {2, 3, 8, 40}, {2, 2, 12, 36}, {}}));
    rvm::Stream stream(model, {.height = kSide, .width = kSide});
    std::printf("%zu tokens\n", stream.step(rvm::FrameView(pixels.data(), kSide, kSide)).tokens().size());
  } catch (const rvm::Error& error) {
    std::puts(error.what());
    return std::string_view(error.what()).find("no CUDA device") == std::string_view::npos ? 1 : 0;
  }
  return 0;
}
