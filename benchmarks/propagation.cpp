// Carries labels on when told to, for a script that times this beside PyTorch (peers/propagation.py).
//
//   bench_propagation FEATURES.npy LABELS.npy THREADS
//
// FEATURES is float32 [T, h, w, D], LABELS float32 [h, w, C] of the first frame. The frames after the first are taken
// round and round. Takes lines on standard input:
//   step N       steps N frames; answers with their times in milliseconds, on one line
//   save FILE    writes the labels, [h, w, C], to a .npy file; answers "saved"
//   memory       answers with the process's memory before and after the tracker was made, in bytes

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

#include <rvm/core/error.hpp>
#include <rvm/tracking/label_propagation.hpp>
#include <rvm/weights/npy.hpp>

#include "common/measure.hpp"

namespace {

std::uint64_t resident_bytes() {
  return 1024 * static_cast<std::uint64_t>(rvm::bench::resident_kilobytes());
}

void serve(const std::string& features_path, const std::string& labels_path, std::size_t threads) {
  const rvm::Tensor<float> features = rvm::load_npy<float>(features_path);
  if (features.shape().rank() != 4 || features.shape()[0] < 2) throw rvm::Error("FEATURES must be [T, h, w, D]");
  const rvm::Tensor<float> labels = rvm::load_npy<float>(labels_path);
  const auto before = resident_bytes();
  rvm::LabelPropagation propagation(features[0], labels, {.threads = threads});
  const auto after = resident_bytes();
  std::size_t next = 1;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "step") {
      std::size_t count = 0;
      words >> count;
      for (; count > 0; --count, next = next % (features.shape()[0] - 1) + 1) {
        const auto start = std::chrono::steady_clock::now();
        propagation.step(features[next]);
        const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
        std::cout << taken.count() << ' ';
      }
      std::cout << std::endl;
    } else if (command == "save") {
      std::string path;
      words >> path;
      rvm::save_npy(path, propagation.labels());
      std::cout << "saved" << std::endl;
    } else if (command == "memory") {
      std::cout << before << ' ' << after << std::endl;
    } else {
      throw rvm::Error("unknown command: " + line);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: bench_propagation FEATURES.npy LABELS.npy THREADS\n";
    return 2;
  }
  try {
    serve(argv[1], argv[2], std::stoul(argv[3]));
  } catch (const std::exception& error) {
    std::cerr << "bench_propagation: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
