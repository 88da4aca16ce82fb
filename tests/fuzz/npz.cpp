#include <rvm/weights/npz.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "fuzz.hpp"
#include "zip_mutator.hpp"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::Chance chance(seed);
  if (chance.one_in(4)) return LLVMFuzzerMutate(data, size, max_size);
  return fuzz::give(fuzz::mutated_npz(fuzz::bytes_of(data, size), max_size, chance), data, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const rvm::detail::FileBytes file(fuzz::bytes_of(data, size));
    fuzz::read_all(rvm::Weights(std::make_shared<rvm::detail::NpzStore>(fuzz::kName, file)));
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  return 0;
}
