#include "common/live/moment.hpp"

#include <bit>
#include <cmath>

#include "common/json.hpp"
#include "common/picture.hpp"

namespace rvm::examples {
namespace {

constexpr int kQuality = 85;

using nlohmann::json;

// A tenth of a pixel is as fine as anyone sees.
double rounded(float pixels) {
  return std::round(10.0 * static_cast<double>(pixels)) / 10.0;
}

json to_json(const TrackedPoint& point) {
  json trail = json::array();
  for (const auto& [x, y] : point.trail) trail.push_back({rounded(x), rounded(y)});
  return {{"id", point.id},
          {"seen", point.seen},
          {"x", rounded(point.place.x)},
          {"y", rounded(point.place.y)},
          {"trail", std::move(trail)}};
}

}  // namespace

std::string encode(const Moment& moment, std::uint64_t serial) {
  const std::string frame = moment.frame.empty() ? "" : to_jpeg(moment.frame, kQuality);
  const std::string colours = moment.colours.empty() ? "" : to_png(moment.colours);
  json points = json::array();
  for (const TrackedPoint& point : moment.points) points.push_back(to_json(point));
  const json all{{"serial", serial},
                 {"step", moment.step},
                 {"frames", moment.frames},
                 {"milliseconds", moment.milliseconds},
                 {"rate", moment.rate},
                 {"norm", moment.norm},
                 {"height", moment.frame.empty() ? 0 : moment.frame.height()},
                 {"width", moment.frame.empty() ? 0 : moment.frame.width()},
                 {"points", std::move(points)},
                 {"status", moment.status},
                 {"notice", moment.notice},
                 {"source", moment.source},
                 {"state_file", moment.state_file},
                 {"frame_bytes", frame.size()},
                 {"colours_bytes", colours.size()}};
  const std::string text = as_text(all);
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8)
    out += std::bit_cast<char>(static_cast<std::uint8_t>(text.size() >> shift));
  return out + text + frame + colours;
}

}  // namespace rvm::examples
