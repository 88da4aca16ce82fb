// A GPU's steps, clips and batches, and each product and kernel of a step beside its floor, as tables in Markdown.
//
//   bench_cuda [--quick] [--features FOLDER]
//
// A step's time is that of one of 20 that follow each other, between events of the device; its latency is the host's,
// from the call for one step until the device has its features. All are medians. A floor is the larger of operations
// over the rate of a large product and bytes over the rate of a large copy, both measured here.
//
// --features writes the state after FOLDER's video.npy by its weights.npz to its bfloat16.npy and float32.npy instead.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/backend/cuda.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>
#include <rvm/weights/load.hpp>
#include <rvm/weights/npy.hpp>

#include "common/measure.hpp"

namespace {

namespace cuda = rvm::detail::cuda;
using rvm::MatrixView;

// Milliseconds of what `body` puts into a queue, one of `together` that follow each other.
template <class Body>
double milliseconds(const cuda::ContextHandle& context, cuda::Queue queue, std::size_t times, const Body& body,
                    std::size_t together = 1) {
  const cuda::OnDevice here(*context);
  std::array<cuda::Event, 2> events{};
  for (cuda::Event& event : events) context->check(cuda::make_event(&event, true), "making an event");
  std::vector<double> found;
  for (std::size_t i = 0; i < times; ++i) {
    context->check(cuda::record(events[0], queue), "timing");
    for (std::size_t j = 0; j < together; ++j) body();
    context->check(cuda::record(events[1], queue), "timing");
    context->check(cuda::finish(events[1]), "timing");
    float taken = 0;
    context->check(cuda::elapsed(&taken, events[0], events[1]), "timing");
    found.push_back(static_cast<double>(taken) / static_cast<double>(together));
  }
  for (const cuda::Event event : events) cuda::destroy_event(event);
  return rvm::bench::median(found);
}

template <class Body>
double wall_milliseconds(std::size_t times, const Body& body) {
  std::vector<double> found;
  for (std::size_t i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    found.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return rvm::bench::median(found);
}

// Operations of a whole step's products, attention's included.
double operations(const rvm::Config& c, std::size_t tokens) {
  const auto n = static_cast<double>(tokens);
  const auto d = static_cast<double>(c.width);
  const auto blocks = [&](const rvm::TransformerConfig& t, double attentions) {
    const auto inner = static_cast<double>(t.inner());
    const double attention = 8 * n * d * inner + 4 * n * n * inner;
    return static_cast<double>(t.depth) * (attentions * attention + 4 * n * d * static_cast<double>(t.mlp));
  };
  return 2 * n * rvm::kPatchValues * d + blocks(c.encoder, 1) + 8 * n * d * d + blocks(c.core, 2);
}

template <class B>
void time_steps(const char* precision, const std::vector<std::string>& variants, bool quick, bool large) {
  for (const std::string& variant : variants) {
    rvm::Config config = rvm::Config::variant(variant);
    config.decoder.reset();
    const rvm::Model<B> model(rvm::random_weights(config));
    for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{256, 256}, {480, 880}}) {
      if (height > 256 && !large) continue;
      std::vector<std::uint8_t> pixels(height * width * 3);
      for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
      const rvm::FrameView frame(pixels.data(), height, width);
      std::vector<float> words((pixels.size() + 3) / 4);
      std::memcpy(words.data(), pixels.data(), pixels.size());
      const auto on_device = model.device().upload(words);
      const rvm::DeviceFrameView there(
          rvm::FrameView(reinterpret_cast<const std::uint8_t*>(on_device.data()), height, width));

      rvm::Stream<B> stream(model, {.height = height, .width = width});
      const std::size_t times = quick ? 20 : 100;
      for (int i = 0; i < 6; ++i) stream.advance(there);
      const auto queue = stream.executor().queue();
      constexpr std::size_t kTogether = 20;
      const double step = milliseconds(
          model.device().context(), queue, quick ? 3 : 9, [&] { stream.advance(there); }, kTogether);
      const double latency = wall_milliseconds(times, [&] {
        stream.advance(there);
        stream.executor().finish();
      });
      const double host = wall_milliseconds(times, [&] { stream.step(frame); });
      const double tera = 1e-12 * operations(config, stream.token_count());

      constexpr std::size_t kBatch = 8;
      rvm::Stream<B> batch(model, {.height = height, .width = width, .batch = kBatch});
      const std::vector<rvm::DeviceFrameView> together(kBatch, there);
      for (int i = 0; i < 6; ++i) batch.advance(std::span<const rvm::DeviceFrameView>(together));
      const double batched = milliseconds(
          model.device().context(), batch.executor().queue(), quick ? 3 : 5,
          [&] { batch.advance(std::span<const rvm::DeviceFrameView>(together)); }, kTogether / 4);

      constexpr std::size_t kSteps = 64;
      rvm::Stream<B> clip(model, {.height = height, .width = width, .chunk = 16});
      const std::vector<rvm::FrameView> frames(kSteps, frame);
      std::vector<float> out(kSteps * clip.token_count() * clip.token_width());
      clip.run(frames, out);
      const double whole = wall_milliseconds(quick ? 2 : 5, [&] { clip.run(frames, out); }) / kSteps;
      std::printf("| %s | %s | %zux%zu | %.3f | %.0f | %.3f | %.3f | %.3f | %.0f | %.3f | %.0f |\n", variant.c_str(),
                  precision, height, width, step, 1e3 * tera / step, latency, host, batched / kBatch,
                  1e3 * tera * kBatch / batched, whole, 1e3 * tera / whole);
      std::fflush(stdout);
    }
  }
}

// Times operations one by one, each many times in a graph so that launching does not count.
template <class T>
class Pieces {
 public:
  using B = rvm::Cuda<T>;

  Pieces() : device_({}), run_(device_) {
    {
      constexpr std::size_t kBytes = std::size_t{1} << 30;
      const rvm::CudaBuffer<float> from(device_, kBytes / 4);
      rvm::CudaBuffer<float> to(device_, kBytes / 4);
      const double ms =
          milliseconds(device_.context(), run_.queue(), 10, [&] { run_.copy(from.data(), to.data(), kBytes / 4); });
      bytes_a_millisecond_ = 2.0 * kBytes / ms;
    }
    constexpr std::size_t kSide = 8192;
    const double ms = product(kSide, kSide, kSide, rvm::Activation::kNone, false, 4);
    operations_a_millisecond_ = 2.0 * kSide * kSide * kSide / ms;
    std::printf("A large copy: %.2f TB/s. A product of 8192x8192x8192: %.0f TFLOP/s.\n\n", 1e-9 * bytes_a_millisecond_,
                1e-9 * operations_a_millisecond_);
  }

  void step(const std::string& variant, std::size_t frames, std::size_t tokens) {
    const rvm::Config c = rvm::Config::variant(variant);
    const std::size_t rows = frames * tokens;
    std::printf("\n%s, %zu rows\n\n| what | times a step | us | floor, us | over it |\n|---|---|---|---|---|\n",
                variant.c_str(), rows);
    const std::size_t e = c.encoder.depth;
    const std::size_t k = c.core.depth;
    const auto add = rvm::Activation::kNone;
    line("patch embedding", 1, rows, 768, c.width, add, true);
    line("encoder q, k, v", e, rows, c.width, 3 * c.encoder.inner(), add, false);
    line("encoder attention out", e, rows, c.encoder.inner(), c.width, add, true);
    line("encoder MLP in, GELU", e, rows, c.width, c.encoder.mlp, rvm::Activation::kGelu, false);
    line("encoder MLP out", e, rows, c.encoder.mlp, c.width, add, true);
    line("gates (input; state)", 2, rows, c.width, 2 * c.width, add, true);
    line("core keys and values", 1, rows, c.width, 2 * k * c.core.inner(), add, false);
    line("core q", k, rows, c.width, c.core.inner(), add, false);
    line("core q, k, v", k, rows, c.width, 3 * c.core.inner(), add, false);
    line("core attention out", 2 * k, rows, c.core.inner(), c.width, add, true);
    line("core MLP in, GELU", k, rows, c.width, c.core.mlp, rvm::Activation::kGelu, false);
    line("core MLP out", k, rows, c.core.mlp, c.width, add, true);
    attention("encoder attention", e, frames, tokens, c.encoder.heads, c.encoder.head_dim);
    attention("core attention", 2 * k, frames, tokens, c.core.heads, c.core.head_dim);
    const double n = static_cast<double>(rows * c.width);
    const auto size = static_cast<double>(sizeof(T));
    const auto x = memory<float>(rows * 2 * c.width);
    const auto y = memory<float>(rows * 2 * c.width);
    const auto z = memory<float>(rows * 2 * c.width);
    auto t = memory<T>(rows * 768 + rows * c.width);
    const auto norm =
        device_.pack(rvm::NormWeights{rvm::Tensor<float>({c.width}), rvm::Tensor<float>({c.width}), 1e-6F});
    const auto in = [&](const auto& buffer) { return MatrixView<const float>(buffer.data(), rows, c.width); };
    const MatrixView<T> operand(t.data(), rows, c.width);
    auto next = memory<float>(rows * c.width);
    const MatrixView<float> wide(next.data(), rows, c.width);
    print("layer norm", 2 * e + 3 * k, repeat([&] { run_.layer_norm(in(x), norm, operand); }), 0, n * (4 + size));
    print("reset gate", 1, repeat([&] { run_.reset_gate(in(x), in(y), in(z), norm, operand); }), 0, n * (12 + size));
    print("update gate", 1, repeat([&] { run_.update_gate(in(x), in(y), in(z), in(x), norm, wide); }), 0, n * 20);
    print("conversion", 2, repeat([&] { run_.convert(in(x), operand); }), 0, n * (4 + size));
    std::printf("| sum | | %.0f | %.0f | %.2f |\n", sum_, floors_, sum_ / floors_);
    sum_ = floors_ = 0;
  }

 private:
  template <class U>
  rvm::CudaBuffer<U> memory(std::size_t n) {
    return {device_, n};
  }

  // Milliseconds of one of `count` in a graph.
  template <class Body>
  double repeat(const Body& body, std::size_t count = 32) {
    const std::size_t key = ++keys_;
    const auto all = [&] {
      run_.replay(key, std::span<const rvm::FrameView>(), [&] {
        for (std::size_t i = 0; i < count; ++i) body();
      });
    };
    all();
    all();
    return milliseconds(device_.context(), run_.queue(), 10, all) / static_cast<double>(count);
  }

  // Different weights each time, as in a step.
  double product(std::size_t rows, std::size_t in, std::size_t out, rvm::Activation activation, bool add,
                 std::size_t count) {
    std::vector<typename B::Dense> weights;
    rvm::Tensor<float> kernel({in, out});
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      kernel.data()[i] = static_cast<float>(static_cast<std::int32_t>(i * 2654435761U)) * 0x1p-36F;
    }
    const std::size_t bytes = in * out * sizeof(T);
    const std::size_t different = std::min<std::size_t>(count, 1 + (std::size_t{96} << 20) / bytes);
    for (std::size_t i = 0; i < different; ++i) {
      weights.push_back(device_.pack(rvm::DenseWeights{kernel, rvm::Tensor<float>({out})}));
    }
    std::vector<float> numbers(rows * in);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = static_cast<float>(static_cast<std::int32_t>(i * 2246822519U)) * 0x1p-31F;
    }
    const auto x = device_.upload(numbers);
    auto t = memory<T>(rows * in);
    const MatrixView<T> operand(t.data(), rows, in);
    run_.convert(MatrixView<const float>(x.data(), rows, in), operand);
    auto y = memory<float>(rows * out);
    auto z = memory<T>(rows * out);
    std::size_t turn = 0;
    const double ms = repeat(
        [&] {
          const auto& w = weights[turn++ % weights.size()];
          if (add) {
            run_.dense_add(operand, w, MatrixView<float>(y.data(), rows, out));
          } else {
            run_.dense(operand, w, MatrixView<T>(z.data(), rows, out), activation);
          }
        },
        count);
    run_.finish();
    run_.forget();
    return ms;
  }

  void line(const char* name, std::size_t times, std::size_t rows, std::size_t in, std::size_t out,
            rvm::Activation activation, bool add) {
    const double ms = product(rows, in, out, activation, add, 24);
    const auto n = [](std::size_t a, std::size_t b) { return static_cast<double>(a * b); };
    const auto size = static_cast<double>(sizeof(T));
    print(name + std::string(" ") + std::to_string(rows) + "x" + std::to_string(in) + "x" + std::to_string(out), times,
          ms, 2 * n(rows, in) * static_cast<double>(out),
          size * (n(rows, in) + n(in, out)) + n(rows, out) * (add ? 8 : size));
  }

  void attention(const char* name, std::size_t times, std::size_t frames, std::size_t tokens, std::size_t heads,
                 std::size_t head_dim) {
    const std::size_t rows = frames * tokens;
    const std::size_t inner = heads * head_dim;
    auto qkv = memory<T>(rows * 3 * inner);
    auto out = memory<T>(rows * inner);
    const MatrixView<const T> all(qkv.data(), rows, 3 * inner);
    const double ms = repeat([&] {
      run_.attention({frames, heads, head_dim, tokens, tokens}, all.col_block(0, inner), all.col_block(inner, inner),
                     all.col_block(2 * inner, inner), MatrixView<T>(out.data(), rows, inner));
    });
    print(name, times, ms, 4.0 * static_cast<double>(frames * tokens * tokens * inner),
          4.0 * static_cast<double>(rows * inner * sizeof(T)));
    run_.finish();
    run_.forget();
  }

  void print(const std::string& name, std::size_t times, double ms, double operations, double bytes) {
    const double floor = std::max(operations / operations_a_millisecond_, bytes / bytes_a_millisecond_);
    std::printf("| %s | %zu | %.1f | %.1f | %.1f |\n", name.c_str(), times, 1e3 * ms, 1e3 * floor, ms / floor);
    std::fflush(stdout);
    sum_ += 1e3 * ms * static_cast<double>(times);
    floors_ += 1e3 * floor * static_cast<double>(times);
  }

  typename B::Device device_;
  typename B::Executor run_;
  double bytes_a_millisecond_ = 1;
  double operations_a_millisecond_ = 1;
  double sum_ = 0;
  double floors_ = 0;
  std::size_t keys_ = 0;
};

template <class B>
void write_features(const rvm::Weights& weights, const rvm::Tensor<std::uint8_t>& video, const std::string& to) {
  const std::size_t height = video.shape()[1];
  const std::size_t width = video.shape()[2];
  rvm::Stream stream(rvm::Model<B>(weights), {.height = height, .width = width});
  for (std::size_t t = 0; t < video.shape()[0]; ++t) stream.advance(rvm::FrameView(video[t].data(), height, width));
  const auto values = stream.features().values();
  rvm::Tensor<float> out(values.shape());
  std::copy(values.begin(), values.end(), out.begin());
  rvm::save_npy(to, out);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 2 && words[0] == "--features") {
      const auto weights = rvm::load_weights(words[1] + "/weights.npz");
      const auto video = rvm::load_npy<std::uint8_t>(words[1] + "/video.npy");
      write_features<rvm::Cuda<rvm::bfloat16>>(weights, video, words[1] + "/bfloat16.npy");
      write_features<rvm::Cuda<float>>(weights, video, words[1] + "/float32.npy");
      return 0;
    }
    const bool quick = !words.empty() && words[0] == "--quick";
    std::printf("%s\n\n", rvm::Cuda<float>::Device({}).description().c_str());
    std::printf(
        "| size | precision | frame | step, ms | TFLOP/s | latency, ms | latency with copies, ms | batch of 8, ms a "
        "frame "
        "| TFLOP/s | clip of 64, ms a frame | TFLOP/s |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    time_steps<rvm::Cuda<rvm::bfloat16>>("bfloat16", {"S", "B", "L", "H"}, quick, true);
    time_steps<rvm::Cuda<rvm::float16>>("float16", {"S", "L"}, quick, false);
    time_steps<rvm::Cuda<float>>("float32", {"S", "L"}, true, false);
    std::printf("\nEach product and kernel in bfloat16, weights cold, in graphs. ");
    Pieces<rvm::bfloat16> pieces;
    pieces.step("L", 1, 257);
    pieces.step("S", 1, 257);
    if (!quick) pieces.step("L", 16, 257);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_cuda: %s\n", error.what());
    return 1;
  }
}
