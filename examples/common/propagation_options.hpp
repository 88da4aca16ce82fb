#pragma once

#include <rvm/tracking/label_propagation.hpp>

namespace CLI {
class App;
}

namespace rvm::examples {

/// Adds --context, --top-k, --temperature and --radius; what `options` holds is the default.
void add_propagation_options(CLI::App& app, PropagationOptions& options);

}  // namespace rvm::examples
