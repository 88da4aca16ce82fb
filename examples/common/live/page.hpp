#pragma once

#include <string_view>

namespace rvm::examples {

/// examples/live/page.html, which is part of the program.
std::string_view page();

}  // namespace rvm::examples
