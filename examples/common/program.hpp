#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "common/sized_source.hpp"

namespace rvm::examples {

/// What every program that runs the model asks for.
struct ModelOptions {
  std::filesystem::path weights;
  std::filesystem::path input;
  std::optional<FrameSize> size;
  std::string backend = "eigen";
  std::string precision = "f32";
  std::size_t threads = 0;
};

/// Adds --weights, --input, --size, --backend, --precision and --threads. What this build cannot do is refused by name
/// when the command line is read.
void add_model_options(CLI::App& app, ModelOptions& options);

/// Prints "NAME: LINE" on standard error; nothing if the line is empty.
void say(const CLI::App& app, const std::string& line);

/// Whether the user has asked the program to stop (SIGINT or SIGTERM, after run_program has begun).
bool interrupted() noexcept;

/// Reads the command line and runs the body. Returns the exit code: 0, 1 if the body has thrown (its reason is one line
/// on standard error), 2 if the command line is wrong.
int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& body);

}  // namespace rvm::examples
