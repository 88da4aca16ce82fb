#include "common/json.hpp"

#include <algorithm>
#include <limits>

#include <rvm/core/error.hpp>

namespace rvm::examples {
namespace {

using nlohmann::json;

const json& member(const json& object, const std::string& key, const char* expected, bool (*fits)(const json&)) {
  const auto found = object.find(key);
  if (found != object.end() && fits(*found)) return *found;
  throw IoError(key + ": expected " + expected + ", found " + (found == object.end() ? "none" : found->type_name()));
}

}  // namespace

std::string as_text(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json parse_json(std::string_view text, const std::string& name) {
  const auto fail = [&](const std::string& expected, const std::string& found) {
    throw IoError(name + ": expected " + expected + ", found " + found);
  };
  if (text.size() > kMostJsonBytes) {
    fail("JSON of at most " + std::to_string(kMostJsonBytes) + " bytes", std::to_string(text.size()));
  }
  const auto guard = [&](int depth, json::parse_event_t event, const json&) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && static_cast<std::size_t>(depth) >= kMostJsonDepth) {
      fail("JSON of at most " + std::to_string(kMostJsonDepth) + " levels", "more");
    }
    return true;
  };
  try {
    return json::parse(text, guard);
  } catch (const json::parse_error& error) {
    fail("JSON", "none at byte " + std::to_string(error.byte));
  } catch (const json::exception&) {
    fail("JSON", "a number beyond all bounds");
  }
  return {};
}

double number_at(const json& object, const std::string& key) {
  const json& number = member(object, key, "number", [](const json& j) { return j.is_number() || j.is_null(); });
  return number.is_null() ? std::numeric_limits<double>::quiet_NaN() : number.get<double>();
}

const json& array_at(const json& object, const std::string& key) {
  return member(object, key, "array", [](const json& j) { return j.is_array(); });
}

const json& object_at(const json& object, const std::string& key) {
  return member(object, key, "object", [](const json& j) { return j.is_object(); });
}

std::vector<std::uint64_t> counts_at(const json& object, const std::string& key) {
  std::vector<std::uint64_t> counts;
  for (const json& count : array_at(object, key)) {
    if (!count.is_number_unsigned()) throw IoError(key + ": expected whole numbers, found " + count.type_name());
    counts.push_back(count.get<std::uint64_t>());
  }
  return counts;
}

float to_float(const json& number) {
  return static_cast<float>(std::clamp(number.get<double>(), -1e9, 1e9));
}

}  // namespace rvm::examples
