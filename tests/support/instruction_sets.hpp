#pragma once

#include <vector>

#include <rvm/backend/cpu/isa.hpp>

namespace test {

/// Every instruction set that this processor has.
inline std::vector<rvm::Isa> instruction_sets() {
  std::vector<rvm::Isa> all;
  for (const rvm::Isa isa :
       {rvm::Isa::kPortable, rvm::Isa::kAvx2, rvm::Isa::kAvx512, rvm::Isa::kAvx512Vnni, rvm::Isa::kAvx512Bf16}) {
    if (isa <= rvm::best_isa()) all.push_back(isa);
  }
  return all;
}

}  // namespace test
