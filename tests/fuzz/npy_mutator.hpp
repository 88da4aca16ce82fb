#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <rvm/core/detail/bytes.hpp>

#include "fuzz.hpp"

namespace fuzz {

/// A .npy file with another header text, or other elements; the length in front of the text is made to fit, mostly.
inline Bytes mutated_npy(const Bytes& file, std::size_t most, Chance& chance) {
  using rvm::detail::as_text;
  constexpr std::array<std::string_view, 22> kWords{"'descr': ", "'fortran_order': ",
                                                    "'shape': ", "'<f4'",
                                                    "'<f8'",     "'<f2'",
                                                    "'|V2'",     "'|b1'",
                                                    "'>f4'",     "'|O'",
                                                    "'<i4'",     "[('a', '<f4')]",
                                                    "True",      "False",
                                                    "()",        "(2,)",
                                                    "(2, 3, 4)", ", ",
                                                    "{",         "}",
                                                    "\\",        "-"};
  constexpr std::size_t kVersion = 6;
  constexpr std::size_t kText = 10;
  if (file.size() < kText) return mutated(file, most);
  const bool wide = file[kVersion] != std::byte{1};
  const std::size_t begin = wide ? kText + 2 : kText;
  if (file.size() < begin) return mutated(file, most);
  const std::size_t length = std::min<std::size_t>(wide ? rvm::detail::load_le<std::uint32_t>(file, kText - 2)
                                                        : rvm::detail::load_le<std::uint16_t>(file, kText - 2),
                                                   file.size() - begin);
  std::string text(as_text(std::span(file).subspan(begin, length)));
  Bytes elements(file.begin() + static_cast<std::ptrdiff_t>(begin + length), file.end());

  switch (chance.below(4)) {
    case 0: {
      const Bytes other = mutated(bytes_of(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), 512);
      text = as_text(other);
      break;
    }
    case 1: elements.resize(chance.below(256)); break;
    case 2:
      if (!elements.empty()) elements = mutated(elements, elements.size());
      break;
    default: text = reworded(text, kWords, chance);
  }

  Bytes out(file.begin(), file.begin() + kVersion);
  const unsigned version = chance.one_in(16) ? static_cast<unsigned>(chance.below(5)) : wide ? 2 : 1;
  out.push_back(static_cast<std::byte>(version));
  out.push_back(std::byte{0});
  const std::uint64_t said = chance.one_in(32) ? chance.number(text.size()) : text.size();
  if (version == 1) {
    rvm::detail::append_le(out, static_cast<std::uint16_t>(said));
  } else {
    rvm::detail::append_le(out, static_cast<std::uint32_t>(said));
  }
  rvm::detail::append_text(out, text);
  rvm::detail::append_bytes(out, elements);
  return out;
}

}  // namespace fuzz
