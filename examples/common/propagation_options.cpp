#include "common/propagation_options.hpp"

#include <CLI/CLI.hpp>

namespace rvm::examples {

void add_propagation_options(CLI::App& app, PropagationOptions& options) {
  app.add_option("--context", options.context, "Labels come from the first frame and this many before the current one")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--top-k", options.top_k, "Tokens that a token takes its label from")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--temperature", options.temperature, "Similarities are divided by it before the softmax")
      ->type_name("X")
      ->capture_default_str()
      ->check(CLI::Range(1e-6F, 1e6F));
  app.add_option("--radius", options.radius, "In frames but the first, only tokens nearer than this many are looked at")
      ->type_name("TOKENS")
      ->capture_default_str()
      ->check(CLI::Range(1e-3F, 1e6F));
}

}  // namespace rvm::examples
