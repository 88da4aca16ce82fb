#include "common/program.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include <CLI/CLI.hpp>
#include <rvm/core/error.hpp>
#include <rvm/weights/load.hpp>

namespace rvm::examples {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
#ifdef RVM_PROGRAM_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;
#endif

volatile std::sig_atomic_t stop_requested = 0;
extern "C" void on_interrupt(int /*signal*/) {
  stop_requested = 1;
}

void check_backend(const ModelOptions& options) {
  if (options.backend == "cuda" && !kHasCuda) {
    throw CLI::ValidationError("--backend", "cuda needs a build with CUDA; this build has cpu and eigen");
  }
  const auto needs = [&](const std::string& precision, const std::string& backends) {
    if (options.precision != precision || backends.find(options.backend) != std::string::npos) return;
    throw CLI::ValidationError("--precision", precision + " needs the backend " + backends);
  };
  needs("bf16", "cpu or cuda");
  needs("f16", "cuda");
  needs("int8", "cpu");
}

void add_weights_option(CLI::App& app, ModelOptions& options) {
  app.add_option("--weights", options.weights, "Weights: .npz or .safetensors")->type_name("FILE")->required();
}

void add_computing_options(CLI::App& app, ModelOptions& options) {
  app.add_option_function<std::string>(
         "--size",
         [&options](const std::string& text) {
           options.size = parse_frame_size(text);
           if (!options.size) {
             throw CLI::ValidationError("--size", "expected HxW in multiples of 16, such as 256x256, found " + text);
           }
         },
         "Resize frames to HxW, multiples of 16 (default: the nearest ones)")
      ->type_name("HxW");
  app.add_option("--backend", options.backend,
                 kHasCuda ? "What computes: cpu, eigen or cuda" : "What computes: cpu or eigen")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpu", "eigen", "cuda"}));
  app.add_option(
         "--precision", options.precision,
         kHasCuda ? "In which numbers: f32, bf16, int8 (cpu) or f16 (cuda)" : "In which numbers: f32, bf16 or int8")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8"}));
  app.add_option("--threads", options.threads, "Threads; 0: as many as the process may use")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.parse_complete_callback([&options] { check_backend(options); });
}

}  // namespace

void add_model_options(CLI::App& app, ModelOptions& options) {
  add_weights_option(app, options);
  app.add_option("--input", options.input, "A video, a directory of images, one image, or a uint8 .npy [T, H, W, 3]")
      ->type_name("PATH")
      ->required();
  add_computing_options(app, options);
}

void add_model_options_without_input(CLI::App& app, ModelOptions& options) {
  add_weights_option(app, options);
  add_computing_options(app, options);
}

AnyModel load_model(const ModelOptions& options) {
  const Weights weights = load_weights(options.weights);
#ifdef RVM_PROGRAM_CUDA
  if (options.backend == "cuda") {
    if (options.precision == "bf16") return Model<Cuda<bfloat16>>(weights, {});
    if (options.precision == "f16") return Model<Cuda<float16>>(weights, {});
    return Model<Cuda<float>>(weights, {});
  }
#endif
  if (options.backend == "eigen") return Model<EigenCpu<float>>(weights, {.threads = options.threads});
  if (options.precision == "bf16") return Model<Cpu<bfloat16>>(weights, {.threads = options.threads, .isa = {}});
  if (options.precision == "int8") return Model<Cpu<std::int8_t>>(weights, {.threads = options.threads, .isa = {}});
  return Model<Cpu<float>>(weights, {.threads = options.threads, .isa = {}});
}

std::string notice(const AnyModel& model) {
  return std::visit(
      [](const auto& chosen) -> std::string {
        if constexpr (requires { chosen.device().notice(); }) {
          return chosen.device().notice();
        } else {
          return {};
        }
      },
      model);
}

void say(const CLI::App& app, const std::string& line) {
  if (!line.empty()) std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), line.c_str());
}

bool interrupted() noexcept {
  return stop_requested != 0;
}

int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kUsage;
  }
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  try {
    body();
  } catch (const std::bad_alloc&) {
    say(app, "out of memory");
    return kFailed;
  } catch (const std::exception& error) {
    say(app, error.what());
    return kFailed;
  }
  return EXIT_SUCCESS;
}

}  // namespace rvm::examples
