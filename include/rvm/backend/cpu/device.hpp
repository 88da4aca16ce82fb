#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <rvm/backend/concept.hpp>
#include <rvm/backend/cpu/isa.hpp>
#include <rvm/backend/host_buffer.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/thread_team.hpp>

namespace rvm {

/// What a user may choose of a backend that computes on this processor.
struct CpuOptions {
  /// Threads of one model, the caller's included, shared by all its streams; 0 takes one for each processor
  /// that this process may use (ThreadTeam). They are the model's own.
  std::size_t threads = 0;
  /// The most that our own kernels may use; if empty, all that the processor has. For tests and comparisons.
  std::optional<Isa> isa{};
};

namespace detail {

/// The types that the CPU backends have in common. T is what dense layers multiply in:
///
///   float
///   bfloat16     the residual stream, norms, softmax, gates and state stay float
///   std::int8_t  as bfloat16, but dense layers multiply bytes: weights with a scale for every output, tokens with a
///                scale each, found as they come
template <class T>
struct CpuTypes {
  static_assert(std::same_as<T, float> || std::same_as<T, bfloat16> || std::same_as<T, std::int8_t>,
                "the CPU backends compute in float, bfloat16 or std::int8_t");

  static constexpr bool kHostMemory = true;

  using Element = std::conditional_t<std::same_as<T, std::int8_t>, bfloat16, T>;
  // AMX has no products of floats, and is not asked for in vain.
  static constexpr Isa kMostIsa = std::same_as<T, float> ? Isa::kAvx512Bf16 : Isa::kAmx;
  using Norm = NormWeights;
  template <class U>
  using Buffer = HostBuffer<U>;
  using Options = CpuOptions;
};

/// What a user should know who asked for speed, and wanted one instruction set and got another; empty if there is
/// nothing. `units`: whether the processor has instructions for these products.
inline std::string speed_notice(bool units, Isa wanted, Isa given) {
  std::string text;
  if (given < wanted) {
    text = "the operating system does not let this process use " + std::string(name_of(wanted)) + ": " +
           std::string(name_of(given)) + " takes its place";
  }
  if (!units) {
    text += text.empty() ? "" : "; ";
    text += "this processor has no bfloat16 units: those products are computed in float";
  }
  return text;
}

/// What the CPU backends' devices have in common: the threads, and the instruction set. Safe to use from several
/// threads.
class CpuDevice {
 public:
  /// `most`: what products have a use for.
  explicit CpuDevice(const CpuOptions& options, Isa most = Isa::kAmx)
      : team_(std::make_unique<ThreadTeam>(options.threads)),
        wanted_(best_isa(std::min(options.isa.value_or(most), most))),
        isa_(usable_isa(wanted_)) {}

  NormWeights pack(NormWeights weights) const { return weights; }
  HostBuffer<float> upload(std::span<const float> values) const { return detail::upload(*this, values); }

  ThreadTeam& team() const noexcept { return *team_; }
  Isa isa() const noexcept { return isa_; }

 protected:
  std::string notice(bool units) const { return speed_notice(units, wanted_, isa_); }

 private:
  std::unique_ptr<ThreadTeam> team_;
  Isa wanted_;
  Isa isa_;
};

}  // namespace detail
}  // namespace rvm
