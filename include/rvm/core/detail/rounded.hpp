#pragma once

#include <type_traits>

namespace rvm::detail {

/// A product that is added to something, rounded first: no compiler then fuses the two into one instruction where the
/// translation unit's flags have it, so that results do not depend on flags.
template <class T>
[[gnu::always_inline]] inline T rounded(T product) noexcept {
#if !defined(__clang__)  // which fuses within one expression alone
  if constexpr (std::is_floating_point_v<T>) return __builtin_assoc_barrier(product);
#endif
  return product;
}

}  // namespace rvm::detail
