#include "common/track/points.hpp"

#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>

#include "common/json.hpp"

namespace rvm::examples {

std::vector<Point> read_points(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  return parse_points({reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()}, file.string());
}

std::vector<Point> parse_points(std::string_view text, const std::string& name) {
  const nlohmann::json whole = parse_json(text, name);
  const nlohmann::json* list = &whole;
  if (const auto frames = list->find("frames"); frames != list->end() && frames->is_array() && !frames->empty()) {
    list = &frames->front();
  }
  if (const auto member = list->find("points"); member != list->end()) list = &*member;
  std::vector<Point> points;
  const auto is_point = [](const nlohmann::json& value) {
    return value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number();
  };
  for (const nlohmann::json& value : *list) {
    if (!list->is_array() || !(is_point(value) || value.is_null())) break;
    points.push_back(value.is_null() ? Point{} : Point{to_float(value[0]), to_float(value[1])});
  }
  if (!list->is_array() || points.size() != list->size() || points.empty()) {
    throw IoError(name + ": expected JSON {\"points\": [[x, y], ...]}");
  }
  return points;
}

}  // namespace rvm::examples
