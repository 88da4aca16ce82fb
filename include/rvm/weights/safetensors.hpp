#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/file_bytes.hpp>
#include <rvm/weights/detail/safetensors_json.hpp>
#include <rvm/weights/limits.hpp>
#include <rvm/weights/weights.hpp>

namespace rvm {

namespace detail {

inline constexpr std::size_t kSafetensorsPrefix = 8;

struct SafetensorsType {
  std::string_view name;
  DType dtype;
};

inline constexpr std::array<SafetensorsType, 13> kSafetensorsTypes = {{{"BOOL", DType::kBool},
                                                                       {"I8", DType::kInt8},
                                                                       {"U8", DType::kUint8},
                                                                       {"I16", DType::kInt16},
                                                                       {"U16", DType::kUint16},
                                                                       {"I32", DType::kInt32},
                                                                       {"U32", DType::kUint32},
                                                                       {"I64", DType::kInt64},
                                                                       {"U64", DType::kUint64},
                                                                       {"F16", DType::kFloat16},
                                                                       {"BF16", DType::kBfloat16},
                                                                       {"F32", DType::kFloat32},
                                                                       {"F64", DType::kFloat64}}};

/// What the header says of one tensor; offsets count from the end of the header.
struct SafetensorsEntry {
  std::string key;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Where the tensors' bytes begin, and the tensors in the order of their bytes.
struct SafetensorsHeader {
  std::size_t data_offset = 0;
  std::vector<SafetensorsEntry> entries;
};

/// What the header's JSON describes.
inline std::vector<SafetensorsDescription> parse_safetensors_json(std::string_view text, const std::string& file) {
  SafetensorsEvents events(file);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &events)) {
    throw WeightsError(file, {}, "a safetensors header", "damaged JSON");
  }
  if (std::string_view(events.root()) != "object") {
    throw WeightsError(file, {}, "a safetensors header", std::string("JSON ") + events.root());
  }
  return std::move(events.tensors());
}

/// Checks one tensor's description.
inline SafetensorsEntry read_safetensors_entry(const SafetensorsDescription& tensor, const std::string& file) {
  const auto fail = [&](std::string expected, std::string found) {
    throw WeightsError(file, tensor.key, std::move(expected), std::move(found));
  };
  const auto require = [&](const SafetensorsField& field, const std::string& name) {
    if (field.type == nullptr) fail("'" + name + "'", "none");
  };
  const auto require_numbers = [&](const SafetensorsField& field, const std::string& name) {
    require(field, name);
    if (std::string_view(field.type) != "array") fail("a list '" + name + "'", field.type);
    if (field.not_whole_number != nullptr) fail("whole numbers in '" + name + "'", field.not_whole_number);
  };

  require(tensor.dtype, "dtype");
  const std::string name = std::string_view(tensor.dtype.type) == "string" ? tensor.dtype.text : tensor.dtype.type;
  const auto type = std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                                 [&](const SafetensorsType& known) { return known.name == name; });
  if (type == kSafetensorsTypes.end()) fail("a numeric dtype", name);
  require_numbers(tensor.shape, "shape");
  const std::vector<std::uint64_t>& shape = tensor.shape.numbers;
  if (shape.size() > Shape::kMaxRank) fail("at most 8 axes", std::to_string(shape.size()));
  require_numbers(tensor.data_offsets, "data_offsets");
  const std::vector<std::uint64_t>& offsets = tensor.data_offsets.numbers;
  if (offsets.size() != 2 || offsets[0] > offsets[1]) fail("'data_offsets' of a beginning and an end", "others");
  const std::vector<std::size_t> extents(shape.begin(), shape.end());
  SafetensorsEntry entry{tensor.key, type->dtype, Shape(std::span<const std::size_t>(extents)), offsets[0], offsets[1]};
  const std::optional<std::size_t> size = byte_size(entry.shape, entry.dtype);
  if (size != entry.end - entry.begin) {
    fail((size ? std::to_string(*size) : "more") + " bytes for " + name + " of shape " + to_string(entry.shape),
         std::to_string(entry.end - entry.begin));
  }
  return entry;
}

/// Reads the header; every byte behind it must belong to exactly one tensor.
inline SafetensorsHeader read_safetensors_header(std::span<const std::byte> bytes, const std::string& file) {
  const auto fail = [&](std::string expected, std::string found) {
    throw WeightsError(file, {}, std::move(expected), std::move(found));
  };
  if (bytes.size() < kSafetensorsPrefix) fail("a safetensors file", std::to_string(bytes.size()) + " bytes");
  const auto length = load_le<std::uint64_t>(bytes, 0);
  if (length > kSafetensorsHeaderLimit) {
    fail("a safetensors header of at most 100 MB", std::to_string(length) + " bytes");
  }
  if (!in_range(kSafetensorsPrefix, length, bytes.size())) {
    fail("a safetensors header of " + std::to_string(length) + " bytes", "the end of the file");
  }
  const auto header_size = static_cast<std::size_t>(length);
  SafetensorsHeader header{kSafetensorsPrefix + header_size, {}};
  for (const SafetensorsDescription& tensor :
       parse_safetensors_json(as_text(bytes.subspan(kSafetensorsPrefix, header_size)), file)) {
    header.entries.push_back(read_safetensors_entry(tensor, file));
  }
  std::sort(header.entries.begin(), header.entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end, a.key) < std::tie(b.begin, b.end, b.key);
  });
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    if (entry.begin != at) {
      throw WeightsError(file, entry.key, "bytes from " + std::to_string(at) + " on",
                         "from " + std::to_string(entry.begin) +
                             (entry.begin < at ? ": tensors overlap" : ": a hole between tensors"));
    }
    at = entry.end;
  }
  const std::size_t found = bytes.size() - header.data_offset;
  if (at != found) fail(std::to_string(at) + " bytes of tensors", std::to_string(found));
  return header;
}

/// The arrays of a safetensors file, used in place.
class SafetensorsStore final : public WeightStore {
 public:
  SafetensorsStore(const std::string& source, const FileBytes& file)
      : SafetensorsStore(source, file, read_safetensors_header(file.bytes(), source)) {}

  WeightArray array(std::size_t index) const override {
    const SafetensorsEntry& entry = header_.entries[index];
    return WeightArray({.file = source(),
                        .key = entry.key,
                        .dtype = entry.dtype,
                        .shape = entry.shape,
                        .fortran_order = false,
                        .bytes = file_.bytes().subspan(offset(entry), size(entry)),
                        .owner = file_.owner(),
                        .checksum = std::nullopt});
  }

  void discard(std::size_t index) const noexcept override {
    const SafetensorsEntry& entry = header_.entries[index];
    file_.discard(offset(entry), size(entry));
  }

 private:
  SafetensorsStore(std::string source, FileBytes file, SafetensorsHeader header)
      : WeightStore(std::move(source), keys_of(header)), file_(std::move(file)), header_(std::move(header)) {}

  static std::vector<std::string> keys_of(const SafetensorsHeader& header) {
    std::vector<std::string> keys;
    keys.reserve(header.entries.size());
    for (const SafetensorsEntry& entry : header.entries) keys.push_back(entry.key);
    return keys;
  }

  std::size_t offset(const SafetensorsEntry& entry) const noexcept {
    return header_.data_offset + static_cast<std::size_t>(entry.begin);
  }
  static std::size_t size(const SafetensorsEntry& entry) noexcept {
    return static_cast<std::size_t>(entry.end - entry.begin);
  }

  FileBytes file_;
  SafetensorsHeader header_;
};

}  // namespace detail

/// Opens a safetensors file. Reads only its header; an array's bytes are read when they are asked for. Throws IoError
/// if the file cannot be read, WeightsError if it is damaged.
inline Weights load_safetensors(const std::filesystem::path& path) {
  return Weights(std::make_shared<detail::SafetensorsStore>(path.string(), detail::FileBytes(path)));
}

namespace detail {

/// The key as JSON has it. Throws WeightsError if it is not UTF-8.
inline std::string quoted_key(const std::string& source, const std::string& key) {
  try {
    return nlohmann::json(key).dump();
  } catch (const nlohmann::json::type_error&) {
    throw WeightsError(source, key, "a key in UTF-8, as safetensors files have them", "other bytes");
  }
}

}  // namespace detail

/// Writes all arrays as float32 to a safetensors file, whole or not at all. Throws IoError, or WeightsError if an array
/// is damaged or not of a floating-point type, or a key is not UTF-8.
inline void save_safetensors(const std::filesystem::path& path, const Weights& weights) {
  const std::vector<std::string> keys = weights.keys();
  std::string text = "{";
  std::uint64_t at = 0;
  for (const std::string& key : keys) {
    if (key == detail::kSafetensorsMetadata) throw ArgumentError(key + " cannot be the name of a tensor");
    const Shape shape = weights.at(key).shape();
    const std::uint64_t size = std::uint64_t{shape.elements()} * sizeof(float);
    text += detail::text(text.size() > 1 ? "," : "", detail::quoted_key(weights.source(), key),
                         R"(:{"dtype":"F32","shape":[)");
    for (std::size_t i = 0; i < shape.rank(); ++i) text += detail::text(i == 0 ? "" : ",", shape[i]);
    text += detail::text(R"(],"data_offsets":[)", at, ",", at + size, "]}");
    at += size;
  }
  text += "}";
  constexpr std::size_t kAlignment = 8;
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  std::vector<std::byte> prefix;
  detail::append_le(prefix, std::uint64_t{text.size()});

  AtomicFile file(path);
  file.write(prefix);
  file.write(std::as_bytes(std::span(text)));
  for (const std::string& key : keys) {
    const WeightArray array = weights.at(key);
    Tensor<float> values(array.shape());
    array.copy_to(values.span());
    file.write(std::as_bytes(values.span()));
    weights.discard(key);
  }
  file.commit();
}

}  // namespace rvm
