#include "common/netpbm.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include <rvm/core/error.hpp>
#include <rvm/image/frame.hpp>

namespace rvm::examples {
namespace {

constexpr std::string_view kSpaces = " \t\n\v\f\r";

std::string_view text_of(std::span<const std::byte> file) noexcept {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

/// Takes a number and what may precede it: spaces, and comments from # to the end of the line. 0 if there is none.
std::uint32_t take_number(std::string_view& text) {
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    if (!text.starts_with('#')) break;
    text.remove_prefix(std::min(text.find_first_of("\n\r"), text.size()));
  }
  std::uint32_t number = 0;
  const auto taken = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(taken.ptr - text.data()));
  return taken.ec == std::errc() ? number : 0;
}

}  // namespace

bool is_netpbm(std::span<const std::byte> file) noexcept {
  const std::string_view text = text_of(file);
  return text.starts_with("P5") || text.starts_with("P6");
}

Image decode_netpbm(std::span<const std::byte> file, const std::string& name) {
  const auto fail = [&](const std::string& reason) { throw IoError(name + ": cannot be read as an image: " + reason); };
  std::string_view text = text_of(file);
  const bool grey = text.starts_with("P5");
  text.remove_prefix(2);
  const std::uint32_t width = take_number(text);
  const std::uint32_t height = take_number(text);
  const std::uint32_t levels = take_number(text);
  if (width == 0 || height == 0) fail("no pixels");
  if (levels != 255) fail("a PPM or PGM of 255 levels expected, found " + std::to_string(levels));
  if (text.empty() || kSpaces.find(text.front()) == std::string_view::npos) fail("a damaged header");
  text.remove_prefix(1);
  const std::size_t channels = grey ? 1 : 3;
  // No side has more than 32 bits, so that the product fits.
  if (text.size() / channels / width < height) {
    fail(std::to_string(height) + "x" + std::to_string(width) + " pixels expected, found " +
         std::to_string(text.size()) + " bytes");
  }
  return to_rgb(FrameView(reinterpret_cast<const std::uint8_t*>(text.data()), height, width,
                          grey ? PixelFormat::kGrey : PixelFormat::kRgb));
}

}  // namespace rvm::examples
