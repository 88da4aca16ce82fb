#pragma once

#include <cstdint>

namespace rvm {

/// The order of colours in pixels of three or four channels, for containers that do not say it themselves.
enum class ChannelOrder : std::uint8_t { kRgb, kBgr };

}  // namespace rvm
