#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace rvm::detail {

/// One text of several parts: strings, characters and whole numbers. (A chain of + makes GCC 12 warn of copies that
/// never happen.)
template <class... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  const auto append = [&out](const auto& part) {
    using Part = std::remove_cvref_t<decltype(part)>;
    if constexpr (std::same_as<Part, char>) {
      out.push_back(part);
    } else if constexpr (std::integral<Part>) {
      out.append(std::to_string(part));
    } else {
      out.append(std::string_view(part));
    }
  };
  (append(parts), ...);
  return out;
}

/// A text from a file as a one-line message can show it: control characters as ?, and not more than a few words.
inline std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 300;
  std::string out(text.substr(0, kLongest));
  for (char& c : out) c = static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
  return text.size() > kLongest ? out + "..." : out;
}

}  // namespace rvm::detail
