// Prints hashes of what the library computes, under the flags that this is compiled with; PART is the name of the
// flags.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include <rvm/backend/cpu.hpp>
#include <rvm/core/hash.hpp>
#include <rvm/image/lanczos.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>
#include <rvm/tracking/label_propagation.hpp>

namespace {

#define RVM_TEXT_OF(x) #x
#define RVM_TEXT(x) RVM_TEXT_OF(x)
constexpr const char* kPart = RVM_TEXT(PART);

template <class T>
void print(const char* what, std::span<const T> values) {
  std::printf("%s %s %016llx\n", kPart, what, static_cast<unsigned long long>(rvm::hash_bytes(std::as_bytes(values))));
}

std::vector<std::uint8_t> noise(std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

template <class T>
rvm::Tensor<float> features(const rvm::Weights& weights, rvm::Isa isa) {
  const rvm::Model<rvm::Cpu<T>> model(weights, {.threads = 2, .isa = isa});
  rvm::Stream stream(model, {.height = 80, .width = 112});
  const std::vector<std::uint8_t> pixels = noise(3 * 80 * 112 * 3);
  std::vector<rvm::FrameView> frames;
  for (std::size_t i = 0; i < 3; ++i) frames.emplace_back(pixels.data() + i * 80 * 112 * 3, 80, 112);
  return stream.run(frames);
}

}  // namespace

void PART() {
  const rvm::Weights weights = rvm::random_weights({48, {2, 3, 16, 96}, {1, 2, 24, 72}, {}}, 1);
  for (const rvm::Isa isa : {rvm::best_isa(), rvm::Isa::kAvx512, rvm::Isa::kAvx2, rvm::Isa::kPortable}) {
    std::printf("%s up to %s\n", kPart, name_of(isa).data());
    print<float>("float32", features<float>(weights, isa).span());
    print<float>("bfloat16", features<rvm::bfloat16>(weights, isa).span());
    print<float>("int8", features<std::int8_t>(weights, isa).span());
  }

  const std::vector<std::uint8_t> pixels = noise(70 * 90 * 3);
  const rvm::Image image = rvm::resize(rvm::FrameView(pixels.data(), 70, 90), 48, 64);
  print<std::uint8_t>("resized", image.bytes().span());

  const rvm::Tensor<float> clip = features<float>(weights, rvm::best_isa());
  const auto tokens = [&](std::size_t t) { return rvm::TensorView<const float>(clip[t].data() + 48, {5, 7, 48}); };
  rvm::Tensor<float> labels({5, 7, 3});
  for (std::size_t i = 0; i < labels.size(); ++i) labels.data()[i] = i % 4 == 0 ? 1.0F : 0.0F;
  rvm::LabelPropagation propagation(tokens(0), labels, {.threads = 1});
  propagation.step(tokens(1));
  propagation.step(tokens(2));
  print<float>("labels", propagation.labels().span());
}
