#include <cstddef>
#include <cstdint>
#include <span>

#include <rvm/core/error.hpp>

#include "common/label_png.hpp"
#include "fuzz.hpp"
#include "png_mutator.hpp"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::Chance chance(seed);
  return fuzz::mutate_png(data, size, max_size, chance);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Large pictures fail no other way; they are only slow.
  constexpr std::uint64_t kMostPixels = 1 << 14;
  constexpr std::size_t kSizes = 24;
  const std::span<const std::uint8_t> file(data, size);
  if (size >= kSizes && std::uint64_t{fuzz::load_be(file, 16)} * fuzz::load_be(file, 20) > kMostPixels) return 0;
  try {
    const rvm::LabelImage labels = rvm::examples::decode_label_png(fuzz::bytes_of(data, size), fuzz::kName);
    fuzz::require(labels.shape().rank() == 2 && !labels.empty());
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  return 0;
}
