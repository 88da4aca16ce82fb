#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <rvm/core/error.hpp>

#include "common/live/click.hpp"
#include "common/result_store.hpp"
#include "common/track/points.hpp"
#include "fuzz.hpp"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  constexpr std::array<std::string_view, 18> kWords{
      "\"points\":", "\"frames\":", "\"settings\":", "\"sequences\":", "[1,2]",     "null",  "{",  "}",   "[",
      "]",           ",",           "\"x\":",        "\"y\":",         "\"step\":", "1e999", "-0", "0.5", "\"\\u"};
  fuzz::Chance chance(seed);
  if (chance.one_in(2)) return LLVMFuzzerMutate(data, size, max_size);
  const std::string text = fuzz::reworded({reinterpret_cast<const char*>(data), size}, kWords, chance);
  return fuzz::give(fuzz::bytes_of(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), data, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes = fuzz::bytes_of(data, size);
  const std::string_view text = rvm::detail::as_text(bytes);
  try {
    fuzz::require(!rvm::examples::parse_points(text, fuzz::kName).empty());
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  try {
    fuzz::require(!rvm::examples::parse_results(text, fuzz::kName).dump().empty());
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  try {
    const rvm::examples::Click click = rvm::examples::parse_click(text);
    fuzz::require(click.point.x >= -1e9F && click.point.x <= 1e9F);
  } catch (const rvm::ArgumentError&) {
  }
  return 0;
}
