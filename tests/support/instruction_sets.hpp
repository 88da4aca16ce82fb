#pragma once

#include <vector>

#include <rvm/backend/cpu/isa.hpp>

namespace test {

/// Every instruction set that this process may use.
inline std::vector<rvm::Isa> instruction_sets() {
  std::vector<rvm::Isa> all;
  for (const rvm::Isa isa : {rvm::Isa::kPortable, rvm::Isa::kAvx2, rvm::Isa::kAvxVnni, rvm::Isa::kAvx512,
                             rvm::Isa::kAvx512Vnni, rvm::Isa::kAvx512Bf16, rvm::Isa::kAmx}) {
    if (rvm::detail::usable_isa(rvm::best_isa(isa)) == isa) all.push_back(isa);
  }
  return all;
}

}  // namespace test
