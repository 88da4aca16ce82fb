#include "common/track/points.hpp"

#include <nlohmann/json.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>

#include "common/json_number.hpp"

namespace rvm::examples {

std::vector<Point> read_points(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  return parse_points({reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()}, file.string());
}

std::vector<Point> parse_points(std::string_view text, const std::string& name) {
  nlohmann::json list = nlohmann::json::parse(text, nullptr, false);
  if (list.is_object() && list.contains("frames") && list["frames"].is_array() && !list["frames"].empty()) {
    list = nlohmann::json(list["frames"][0]);
  }
  if (list.is_object() && list.contains("points")) list = nlohmann::json(list["points"]);
  std::vector<Point> points;
  const auto is_point = [](const nlohmann::json& value) {
    return value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number();
  };
  for (const nlohmann::json& value : list) {
    if (!list.is_array() || !(is_point(value) || value.is_null())) break;
    points.push_back(value.is_null() ? Point{} : Point{to_float(value[0]), to_float(value[1])});
  }
  if (!list.is_array() || points.size() != list.size() || points.empty()) {
    throw IoError(name + ": expected JSON {\"points\": [[x, y], ...]}");
  }
  return points;
}

}  // namespace rvm::examples
