#include <rvm/weights/npy.hpp>

#include <cstddef>
#include <cstdint>

#include "fuzz.hpp"
#include "npy_mutator.hpp"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  fuzz::Chance chance(seed);
  if (chance.one_in(4)) return LLVMFuzzerMutate(data, size, max_size);
  return fuzz::give(fuzz::mutated_npy(fuzz::bytes_of(data, size), max_size, chance), data, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const rvm::WeightArray array = rvm::open_npy(fuzz::bytes_of(data, size), fuzz::kName);
    // What can be read can be written, and is then the same.
    const fuzz::Bytes header = rvm::npy_header(array.dtype(), array.shape(), array.fortran_order());
    const rvm::NpyHeader again = rvm::parse_npy_header(header, fuzz::kName, {});
    fuzz::require(again.dtype == array.dtype() && again.shape == array.shape() &&
                  again.fortran_order == array.fortran_order());
    if (array.dtype() == rvm::DType::kBool) {
      for (const bool value : array.as<bool>()) fuzz::require(value == true || value == false);
      return 0;
    }
    rvm::Tensor<float> values(array.shape());
    array.copy_to(values.span());
  } catch (const rvm::Error& error) {
    fuzz::check(error);
  }
  return 0;
}
