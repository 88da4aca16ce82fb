#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#include <rvm/model/model.hpp>
#ifdef RVM_PROGRAM_CUDA
#include <rvm/backend/cuda.hpp>
#endif

#include "common/sized_source.hpp"

namespace CLI {
class App;
}

namespace rvm::examples {

/// What every program that runs the model asks for.
struct ModelOptions {
  std::filesystem::path weights;
  std::filesystem::path input;
  std::optional<FrameSize> size;
  std::string backend = "cpu";
  std::string precision = "f32";
  std::size_t threads = 0;
};

/// Adds --weights, --input, --size, --backend, --precision and --threads. What this build cannot do is refused by name
/// when the command line is read.
void add_model_options(CLI::App& app, ModelOptions& options);
/// The same but for --input.
void add_model_options_without_input(CLI::App& app, ModelOptions& options);

/// The model that the options ask for: what must be chosen at run time is one variant, here at the edge.
using AnyModel = std::variant<Model<EigenCpu<float>>, Model<Cpu<float>>, Model<Cpu<bfloat16>>, Model<Cpu<std::int8_t>>
#ifdef RVM_PROGRAM_CUDA
                              ,
                              Model<Cuda<float>>, Model<Cuda<bfloat16>>, Model<Cuda<float16>>
#endif
                              >;

/// Loads the weights for the backend and precision asked for. Throws rvm::Error.
AnyModel load_model(const ModelOptions& options);

/// What the user should know of the model's backend; empty if there is nothing.
std::string notice(const AnyModel& model);

/// Prints "NAME: LINE" on standard error; nothing if the line is empty.
void say(const CLI::App& app, const std::string& line);

/// Whether the user has asked the program to stop (SIGINT or SIGTERM, after run_program has begun).
bool interrupted() noexcept;

/// Reads the command line and runs the body. Returns the exit code: 0, 1 if the body has thrown (its reason is one line
/// on standard error), 2 if the command line is wrong.
int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& body);

}  // namespace rvm::examples
