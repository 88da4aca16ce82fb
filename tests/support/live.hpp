#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace test {

/// A moment as a browser takes it apart.
struct DecodedMoment {
  explicit DecodedMoment(const std::string& bytes) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length |= std::size_t{static_cast<std::uint8_t>(bytes.at(i))} << (8 * i);
    json = nlohmann::json::parse(bytes.substr(4, length));
    frame = bytes.substr(4 + length, json.at("frame_bytes"));
    colours = bytes.substr(4 + length + frame.size());
  }

  nlohmann::json json;
  std::string frame;    // JPEG
  std::string colours;  // PNG
};

}  // namespace test
