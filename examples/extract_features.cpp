// Writes the features of every frame of a video to a .npy file: float32 [T, N, D], the class token first.

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <rvm/rvm.hpp>

#include "common/frame_source.hpp"
#include "common/progress.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Size {
  std::size_t height = 0;
  std::size_t width = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

struct Options {
  std::filesystem::path weights;
  std::filesystem::path input;
  std::filesystem::path output;
  std::optional<Size> size;
  std::size_t threads = 0;
};

std::string to_string(const Size& size) {
  return std::to_string(size.height) + "x" + std::to_string(size.width);
}

Size parse_size(const std::string& text) {
  Size size;
  char rest = 0;
  const bool two_numbers = text.find_first_not_of("0123456789x") == std::string::npos &&
                           std::sscanf(text.c_str(), "%5zux%5zu%c", &size.height, &size.width, &rest) == 2;
  if (!two_numbers || size.height == 0 || size.width == 0 || size.height % rvm::kPatchSize != 0 ||
      size.width % rvm::kPatchSize != 0) {
    throw CLI::ValidationError("--size", "expected HxW in multiples of 16, such as 256x256, found " + text);
  }
  return size;
}

// What this build cannot do is refused by name, with what would enable it.
void check_backend(const std::string& backend, const std::string& precision) {
  if (backend == "onednn")
    throw CLI::ValidationError("--backend", "onednn needs a build with oneDNN; this one has eigen");
  if (backend == "cuda") throw CLI::ValidationError("--backend", "cuda needs a build with CUDA; this one has eigen");
  if (precision == "f32") return;
  const std::string enabler = precision == "bf16" ? "oneDNN or CUDA" : precision == "int8" ? "oneDNN" : "CUDA";
  throw CLI::ValidationError("--precision",
                             precision + " needs a build with " + enabler + "; the backend eigen computes in f32");
}

void add_options(CLI::App& app, Options& options, std::string& backend, std::string& precision) {
  app.add_option("--weights", options.weights, "Weights: .npz or .safetensors")->type_name("FILE")->required();
  app.add_option("--input", options.input, "A video, a directory of images, one image, or a uint8 .npy [T, H, W, 3]")
      ->type_name("PATH")
      ->required();
  app.add_option("--output", options.output, "Where the features go: .npy, float32 [T, N, D]")
      ->type_name("FILE")
      ->required();
  app.add_option_function<std::string>(
         "--size", [&](const std::string& text) { options.size = parse_size(text); },
         "Resize frames to HxW, multiples of 16 (default: the nearest ones)")
      ->type_name("HxW");
  app.add_option("--backend", backend, "What computes: eigen, onednn or cuda")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"eigen", "onednn", "cuda"}));
  app.add_option("--precision", precision, "In which numbers: f32, bf16, f16, int8 or fp8")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8", "fp8"}));
  app.add_option("--threads", options.threads, "Threads; 0 is one per processor")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.footer(
      "Examples:\n"
      "  extract_features --weights rvm_small.npz --input video.mp4 --output features.npy\n"
      "  extract_features --weights rvm_small.npz --input frames/ --output features.npy --size 256x256");
}

volatile std::sig_atomic_t interrupted = 0;
extern "C" void on_interrupt(int /*signal*/) {
  interrupted = 1;
}

/// The size that frames are brought to: as asked, or the nearest multiples of 16.
Size choose_size(const std::optional<Size>& asked, const Size& frame) {
  if (asked) return *asked;
  const auto nearest = [](std::size_t side) {
    return std::max(rvm::kPatchSize, (side + rvm::kPatchSize / 2) / rvm::kPatchSize * rvm::kPatchSize);
  };
  const Size size{nearest(frame.height), nearest(frame.width)};
  if (size != frame) {
    std::fprintf(stderr, "extract_features: frames of %s are resized to %s, multiples of 16\n",
                 to_string(frame).c_str(), to_string(size).c_str());
  }
  return size;
}

/// Frames in, features out, one after the other; nothing remains of the output if it throws.
void extract(const Options& options) {
  const auto source = rvm::examples::open_source(options.input);
  const rvm::Model<> model(rvm::load_weights(options.weights), {.threads = options.threads});

  std::optional<rvm::FrameView> frame = source->next();
  if (!frame) throw rvm::IoError(options.input.string() + ": no frames in it");
  const Size frame_size{frame->height(), frame->width()};
  const Size size = choose_size(options.size, frame_size);
  rvm::Stream stream(model, {.height = size.height, .width = size.width});

  const rvm::Shape item{stream.token_count(), model.config().width};
  rvm::NpyWriter writer(options.output, rvm::DType::kFloat32, item);
  rvm::Resizer resizer;
  rvm::Image resized;
  rvm::examples::Progress progress(source->count());
  for (; frame; frame = source->next()) {
    if (interrupted != 0) throw rvm::Error("interrupted; nothing is written");
    if (size != frame_size) {
      resizer.resize(*frame, size.height, size.width, resized);
      frame = resized.view();
    }
    writer.append(stream.step(*frame).values().span());
    progress.advance();
  }
  writer.close();
  const double rate = progress.rate();
  progress.finish();

  if (const std::string warning = source->warning(); !warning.empty()) {
    std::fprintf(stderr, "extract_features: warning: %s\n", warning.c_str());
  }
  std::printf("%s: float32 %s, %.1f frames per second\n", options.output.c_str(),
              to_string(rvm::Shape{writer.count(), item[0], item[1]}).c_str(), rate);
}

int fail(const std::string& reason) {
  std::fprintf(stderr, "extract_features: %s\n", reason.c_str());
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Extracts the features of every frame of a video.");
  Options options;
  std::string backend = "eigen";
  std::string precision = "f32";
  add_options(app, options, backend, precision);
  try {
    app.parse(argc, argv);
    check_backend(backend, precision);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kUsage;
  }

  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  try {
    extract(options);
  } catch (const std::bad_alloc&) {
    return fail("out of memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
  return EXIT_SUCCESS;
}
