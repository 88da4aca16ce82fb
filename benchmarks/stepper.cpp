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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Steps a stream when told to on standard input.", "bench_stepper");
  rvm::examples::ModelOptions options;
  add_model_options(app, options);
  return rvm::examples::run_program(app, argc, argv, [&] {
    const auto video = rvm::load_npy<std::uint8_t>(options.input);
    if (video.shape().rank() != 4) throw rvm::Error("--input must be a uint8 .npy [T, H, W, 3]");
    std::visit([&](const auto& model) { serve(model, video); }, rvm::examples::load_model(options));
  });
}
