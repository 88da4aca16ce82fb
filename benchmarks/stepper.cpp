// Steps a stream when told to, for a script that times several libraries in turn. Takes lines on standard input:
//   step N       steps N frames; answers with their times in milliseconds, on one line
//   save FILE    writes the state, [1, N, D], to a .npy file; answers "saved"
// --input is a uint8 .npy [T, H, W, 3] whose frames are taken round and round.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/rvm.hpp>
#ifdef RVM_PROGRAM_ONEDNN
#include <rvm/backend/onednn.hpp>
#endif

#include "common/program.hpp"

namespace {

template <rvm::Backend B>
void serve(const rvm::Model<B>& model, const rvm::Tensor<std::uint8_t>& video) {
  const std::size_t height = video.shape()[1];
  const std::size_t width = video.shape()[2];
  rvm::Stream stream(model, {.height = height, .width = width});
  std::size_t next = 0;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "step") {
      std::size_t count = 0;
      words >> count;
      for (; count > 0; --count, next = (next + 1) % video.shape()[0]) {
        const rvm::FrameView frame(video[next].data(), height, width);
        const auto start = std::chrono::steady_clock::now();
        stream.step(frame);
        const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
        std::cout << taken.count() << ' ';
      }
      std::cout << std::endl;
    } else if (command == "save") {
      std::string path;
      words >> path;
      rvm::save_npy(path, stream.features().values());
      std::cout << "saved" << std::endl;
    } else {
      throw rvm::Error("unknown command: " + line);
    }
  }
}

template <class Serve>
void serve_onednn([[maybe_unused]] const rvm::examples::ModelOptions& options, [[maybe_unused]] const Serve& serve) {
#ifdef RVM_PROGRAM_ONEDNN
  const rvm::Weights weights = rvm::load_weights(options.weights);
  const std::size_t threads = options.threads;
  if (options.precision == "bf16") {
    serve(rvm::Model<rvm::OneDnn<rvm::bfloat16>>(weights, {.threads = threads, .isa = {}}));
  } else if (options.precision == "int8") {
    serve(rvm::Model<rvm::OneDnn<std::int8_t>>(weights, {.threads = threads, .isa = {}}));
  } else {
    serve(rvm::Model<rvm::OneDnn<float>>(weights, {.threads = threads, .isa = {}}));
  }
#else
  throw rvm::Error("this build has no oneDNN");
#endif
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Steps a stream when told to on standard input.", "bench_stepper");
  rvm::examples::ModelOptions options;
  bool onednn = false;
  add_model_options(app, options);
  app.add_flag("--onednn", onednn, "oneDNN's products instead of our own");
  return rvm::examples::run_program(app, argc, argv, [&] {
    const auto video = rvm::load_npy<std::uint8_t>(options.input);
    if (video.shape().rank() != 4) throw rvm::Error("--input must be a uint8 .npy [T, H, W, 3]");
    const auto serve_it = [&](const auto& model) { serve(model, video); };
    if (onednn) {
      serve_onednn(options, serve_it);
    } else {
      std::visit(serve_it, rvm::examples::load_model(options));
    }
  });
}
