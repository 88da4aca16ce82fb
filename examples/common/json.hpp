#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace rvm::examples {

/// The most bytes of JSON that are read; what they hold takes some ten times as many.
inline constexpr std::size_t kMostJsonBytes = std::size_t{64} << 20;
/// How deep it may nest: what the programs write has 5 levels.
inline constexpr std::size_t kMostJsonDepth = 16;

/// JSON of anyone's. Throws rvm::IoError, which begins with `name`, if it is none, or beyond the limits.
nlohmann::json parse_json(std::string_view text, const std::string& name);

/// The JSON of a value, in one line. Names of files and videos need not be UTF-8, which JSON must be: bytes that are
/// not are replaced.
std::string as_text(const nlohmann::json& value);

// What an object has under a key. They throw rvm::IoError "KEY: expected ..., found ...".

/// A number; null is one that is not a number.
double number_at(const nlohmann::json& object, const std::string& key);
const nlohmann::json& array_at(const nlohmann::json& object, const std::string& key);
const nlohmann::json& object_at(const nlohmann::json& object, const std::string& key);
std::vector<std::uint64_t> counts_at(const nlohmann::json& object, const std::string& key);

/// A JSON number as a coordinate in pixels; what is too large for any picture stays so, and fits a float.
float to_float(const nlohmann::json& number);

}  // namespace rvm::examples
