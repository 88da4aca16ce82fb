#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rvm/core/detail/text.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/limits.hpp>

namespace rvm {

/// What precedes the elements of a .npy file. Elements are little-endian.
struct NpyHeader {
  DType dtype = DType::kFloat32;
  Shape shape;
  bool fortran_order = false;
  std::size_t data_offset = 0;
};

namespace detail {

inline constexpr std::string_view kNpyMagic("\x93NUMPY", 6);
/// The most that can precede the elements: magic, version, length, text.
inline constexpr std::size_t kNpyPrefixLimit = 12 + kNpyHeaderLimit;

struct NpyTypeName {
  std::string_view code;
  DType dtype;
};

/// numpy's codes without the byte order. It has none for bfloat16: ml_dtypes' comes out as two bytes of "void".
inline constexpr std::array<NpyTypeName, 13> kNpyTypes = {{{"b1", DType::kBool},
                                                           {"i1", DType::kInt8},
                                                           {"u1", DType::kUint8},
                                                           {"i2", DType::kInt16},
                                                           {"u2", DType::kUint16},
                                                           {"i4", DType::kInt32},
                                                           {"u4", DType::kUint32},
                                                           {"i8", DType::kInt64},
                                                           {"u8", DType::kUint64},
                                                           {"f2", DType::kFloat16},
                                                           {"V2", DType::kBfloat16},
                                                           {"f4", DType::kFloat32},
                                                           {"f8", DType::kFloat64}}};

/// Reads the Python dictionary in a .npy header: the three keys in any order, nothing else.
class NpyDictParser {
 public:
  NpyDictParser(std::string_view text, const std::string& file, const std::string& key)
      : text_(text), file_(file), key_(key) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      const std::string_view name = quoted();
      expect(':');
      if (name == "descr" && !dtype_) {
        dtype_ = dtype();
      } else if (name == "fortran_order" && !fortran_order_) {
        fortran_order_ = boolean();
      } else if (name == "shape" && !shape_) {
        shape_ = shape();
      } else {
        fail("'descr', 'fortran_order' and 'shape', once each", shown(name));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("a .npy header", "text behind the dictionary");
    if (!dtype_ || !fortran_order_ || !shape_) {
      fail("'descr', 'fortran_order' and 'shape', once each", "a .npy header without one of them");
    }
    if (!byte_size(*shape_, *dtype_)) fail("an array that fits memory", "shape " + to_string(*shape_));
    return {*dtype_, *shape_, *fortran_order_, 0};
  }

 private:
  [[noreturn]] void fail(std::string expected, std::string found) const {
    throw WeightsError(file_, key_, std::move(expected), std::move(found));
  }

  // The beginning of a text as a message can show it.
  static std::string shown(std::string_view content) {
    constexpr std::size_t kLongest = 40;
    std::string out(content.substr(0, kLongest));
    for (char& c : out) c = c < ' ' || c > '~' ? '?' : c;
    return text('\'', out, '\'');
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect(char c) {
    if (accept(c)) return;
    fail(text('\'', c, "' in the .npy header"), at_ == text_.size() ? "its end" : shown(text_.substr(at_, 1)));
  }

  std::string_view quoted() {
    skip_space();
    const char mark = at_ < text_.size() ? text_[at_] : '\0';
    if (mark != '\'' && mark != '"') fail("a quoted string in the .npy header", shown(rest()));
    const std::size_t end = text_.find(mark, at_ + 1);
    if (end == std::string_view::npos) fail("a .npy header", "a string without end");
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    if (content.find('\\') != std::string_view::npos) fail("a .npy header without escapes", shown(content));
    at_ = end + 1;
    return content;
  }
  std::string_view rest() const { return text_.substr(at_); }

  DType dtype() {
    skip_space();
    if (rest().starts_with('[')) fail("a numeric dtype", "a structured one");
    const std::string_view name = quoted();
    const bool has_order = !name.empty() && std::string_view("<>=|").find(name.front()) != std::string_view::npos;
    const std::string_view code = name.substr(has_order ? 1 : 0);
    for (const NpyTypeName& type : kNpyTypes) {
      if (type.code != code) continue;
      if (name.front() == '>' && size_of(type.dtype) > 1) fail("little-endian elements", text("dtype ", shown(name)));
      return type.dtype;
    }
    fail("a numeric dtype", code.starts_with('O') ? "Python objects" : text("dtype ", shown(name)));
  }

  bool boolean() {
    if (accept_word("True")) return true;
    if (accept_word("False")) return false;
    fail("True or False for 'fortran_order'", shown(rest()));
  }

  Shape shape() {
    expect('(');
    std::array<std::size_t, Shape::kMaxRank> extents{};
    std::size_t rank = 0;
    while (!accept(')')) {
      if (rank == extents.size()) fail("at most " + std::to_string(extents.size()) + " axes", "more");
      extents[rank++] = extent();
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return Shape(std::span(extents.data(), rank));
  }

  std::size_t extent() {
    skip_space();
    const std::size_t begin = at_;
    std::size_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const auto digit = static_cast<std::size_t>(text_[at_] - '0');
      if (value > (std::numeric_limits<std::size_t>::max() - digit) / 10) {
        fail("an extent that fits memory", shown(text_.substr(begin)));
      }
      value = value * 10 + digit;
    }
    if (at_ == begin) fail("a non-negative integer in 'shape'", shown(rest()));
    return value;
  }

  std::string_view text_;
  const std::string& file_;
  const std::string& key_;
  std::size_t at_ = 0;
  std::optional<DType> dtype_;
  std::optional<bool> fortran_order_;
  std::optional<Shape> shape_;
};

}  // namespace detail

/// Reads the header at the beginning of a .npy file's bytes (format 1.0, 2.0 or 3.0). Throws WeightsError, which names
/// `file` and `key`, if it is damaged or of a type that this library does not know.
inline NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& file, const std::string& key) {
  const auto fail = [&](std::string expected, std::string found) {
    throw WeightsError(file, key, std::move(expected), std::move(found));
  };
  constexpr std::size_t kVersionEnd = 8;
  if (bytes.size() < kVersionEnd || detail::as_text(bytes.first(6)) != detail::kNpyMagic) {
    fail("a .npy header", bytes.size() < kVersionEnd ? std::to_string(bytes.size()) + " bytes" : "other bytes");
  }
  const int major = std::to_integer<int>(bytes[6]);
  const int minor = std::to_integer<int>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0) {
    fail("format 1.0, 2.0 or 3.0 of .npy", std::to_string(major) + "." + std::to_string(minor));
  }
  const std::size_t text_begin = kVersionEnd + (major == 1 ? 2 : 4);
  if (bytes.size() < text_begin) fail("a whole .npy header", std::to_string(bytes.size()) + " bytes");
  const std::size_t length = major == 1 ? detail::load_le<std::uint16_t>(bytes, kVersionEnd)
                                        : detail::load_le<std::uint32_t>(bytes, kVersionEnd);
  if (length > kNpyHeaderLimit) {
    fail("a .npy header of at most " + std::to_string(kNpyHeaderLimit) + " bytes", std::to_string(length));
  }
  if (!detail::in_range(text_begin, length, bytes.size())) {
    fail("a .npy header of " + std::to_string(length) + " bytes", "only " + std::to_string(bytes.size() - text_begin));
  }
  NpyHeader header = detail::NpyDictParser(detail::as_text(bytes.subspan(text_begin, length)), file, key).parse();
  header.data_offset = text_begin + length;
  return header;
}

/// The header that numpy writes for such an array (format 1.0), byte for byte. Its length is a multiple of 64 and does
/// not depend on the first extent, so that this one can be changed later.
inline std::vector<std::byte> npy_header(DType dtype, const Shape& shape, bool fortran_order = false) {
  std::string code;
  for (const detail::NpyTypeName& type : detail::kNpyTypes) {
    if (type.dtype == dtype) code = std::string(size_of(dtype) == 1 ? "|" : "<").append(type.code);
  }
  std::string text = "{'descr': '" + code + "', 'fortran_order': " + (fortran_order ? "True" : "False") +
                     ", 'shape': " + to_string(shape) + ", }";
  constexpr std::size_t kDigits = 21;  // room for the extent that may grow
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kPrefix = 10;
  if (shape.rank() != 0) {
    text.append(kDigits - std::to_string(shape[fortran_order ? shape.rank() - 1 : 0]).size(), ' ');
  }
  text.append(kAlignment - (kPrefix + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  std::vector<std::byte> out;
  out.reserve(kPrefix + text.size());
  detail::append_text(out, detail::kNpyMagic);
  detail::append_le(out, std::uint8_t{1});
  detail::append_le(out, std::uint8_t{0});
  detail::append_le(out, static_cast<std::uint16_t>(text.size()));
  detail::append_text(out, text);
  return out;
}

}  // namespace rvm
