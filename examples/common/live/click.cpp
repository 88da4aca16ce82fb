#include "common/live/click.hpp"

#include <rvm/core/error.hpp>

#include "common/json.hpp"

namespace rvm::examples {
namespace {

/// Null if the text cannot be read.
nlohmann::json parse(std::string_view text) {
  try {
    return parse_json(text, "click");
  } catch (const IoError&) {
    return nullptr;
  }
}

}  // namespace

Click parse_click(std::string_view text) {
  using nlohmann::json;
  const json click = parse(text);
  const auto is = [&](const char* key, bool (json::*type)() const noexcept) {
    return click.is_object() && click.contains(key) && (click[key].*type)();
  };
  if (!is("x", &json::is_number) || !is("y", &json::is_number) || !is("step", &json::is_number_unsigned)) {
    throw ArgumentError(R"(expected {"x": number, "y": number, "step": whole number})");
  }
  return {{to_float(click["x"]), to_float(click["y"])}, click["step"].get<std::uint64_t>()};
}

}  // namespace rvm::examples
