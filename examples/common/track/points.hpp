#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <rvm/image/point.hpp>

namespace rvm::examples {

/// The points in a JSON file: {"points": [[x, y], null, ...]}, or only the list, or what track has written, of which
/// the first frame counts. Throws rvm::IoError if it is something else.
std::vector<Point> read_points(const std::filesystem::path& file);
/// The same of a file's contents in memory, which `name` stands for in messages.
std::vector<Point> parse_points(std::string_view text, const std::string& name);

}  // namespace rvm::examples
