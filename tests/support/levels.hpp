#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <vector>

#include <rvm/backend/cpu.hpp>

#include "support/instruction_sets.hpp"

namespace test {

/// What takes the place of units that this processor may not have.
enum class StandIn {
  kNone,        // it has them
  kTiles,       // emulated tiles, and the vectors that a processor with AMX has
  kPlainTiles,  // emulated tiles, and plain vectors
  kEncoding,    // AVX-512's encoding of the same instructions
};

/// The library's kernels with a stand-in.
rvm::detail::CpuLevel<rvm::bfloat16> kernels_with(StandIn stand_in, rvm::Isa isa);

/// What computes: an instruction set of this processor, or one that a stand-in gives it.
struct Level {
  rvm::Isa isa;
  StandIn stand_in = StandIn::kNone;

  std::string name() const {
    constexpr const char* kHow[] = {"", ", emulated", ", emulated plainly", ", in another encoding"};
    return std::string(rvm::name_of(isa)) + kHow[static_cast<int>(stand_in)];
  }

  /// Its kernels.
  template <class Element>
  rvm::detail::CpuLevel<Element> kernels() const {
    if constexpr (std::same_as<Element, rvm::bfloat16>) {
      if (stand_in != StandIn::kNone) return kernels_with(stand_in, isa);
    }
    return rvm::detail::cpu_level<Element>(isa);
  }
  /// A device of Cpu<T> that computes with them.
  template <class T>
  typename rvm::Cpu<T>::Device device(std::size_t threads) const {
    return typename rvm::Cpu<T>::Device({.threads = threads, .isa = isa}, kernels<typename rvm::Cpu<T>::Element>());
  }
};

/// The emulated level, with the vectors that AMX has beside it where this processor has those.
inline Level emulated_amx() {
  return {rvm::Isa::kAmx, rvm::best_isa() >= rvm::Isa::kAvx512Bf16 ? StandIn::kTiles : StandIn::kPlainTiles};
}

/// Every level that this machine can compute with.
inline std::vector<Level> levels() {
  std::vector<Level> all;
  for (const rvm::Isa isa : instruction_sets()) all.push_back({isa});
  if (rvm::best_isa() >= rvm::Isa::kAvx512Vnni) all.push_back({rvm::Isa::kAvxVnni, StandIn::kEncoding});
  all.push_back({rvm::Isa::kAmx, StandIn::kPlainTiles});
  if (emulated_amx().stand_in == StandIn::kTiles) all.push_back(emulated_amx());
  return all;
}

/// Cpu<T> on emulated tiles.
template <class T>
struct EmulatedAmx : rvm::Cpu<T> {
  class Device : public rvm::Cpu<T>::Device {
   public:
    explicit Device(const rvm::CpuOptions& options)
        : rvm::Cpu<T>::Device(options, emulated_amx().kernels<rvm::bfloat16>()) {}
  };
};

}  // namespace test
