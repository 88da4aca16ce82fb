#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <rvm/core/error.hpp>
#include <rvm/weights/limits.hpp>

namespace rvm::detail {

inline constexpr const char* kSafetensorsMetadata = "__metadata__";

/// A member of a tensor's description, as the JSON has it.
struct SafetensorsField {
  const char* type = nullptr;              // "array", "string", "number", ...; null if there is no such member
  std::string text;                        // of a string
  std::vector<std::uint64_t> numbers;      // of an array
  const char* not_whole_number = nullptr;  // the type of an array's element that is none
};

/// A tensor's description, not checked yet.
struct SafetensorsDescription {
  std::string key;
  SafetensorsField dtype;
  SafetensorsField shape;
  SafetensorsField data_offsets;
};

/// Collects the descriptions from a parser's events. There is no tree of the JSON: a file makes no more memory be taken
/// than its descriptions hold, and none is needed to let go of them. Throws WeightsError on keys that occur twice in an
/// object and on nesting beyond what the format has.
class SafetensorsEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit SafetensorsEvents(const std::string& file) : file_(&file) {}

  /// The type of the whole, and what it describes.
  const char* root() const noexcept { return root_; }
  std::vector<SafetensorsDescription>& tensors() noexcept { return tensors_; }

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("boolean"); }
  bool number_integer(number_integer_t) override { return value("number"); }
  bool number_unsigned(number_unsigned_t number) override {
    if (depth_ == 3 && list_ != nullptr) {
      list_->numbers.push_back(number);
      return true;
    }
    return value("number");
  }
  bool number_float(number_float_t, const string_t&) override { return value("number"); }
  bool string(string_t& text) override {
    value("string");
    if (depth_ == 2 && field_ != nullptr) field_->text = text;
    return true;
  }
  bool binary(binary_t&) override { return value("binary"); }

  bool start_object(std::size_t) override { return open("object"); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open("array"); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (!keys_[depth_].insert(name).second) throw WeightsError(*file_, name, "every key once", "it twice");
    if (depth_ == 1) {
      described_ = name != kSafetensorsMetadata;
      if (described_) tensors_.push_back({name, {}, {}, {}});
    } else if (depth_ == 2) {
      field_ = described_ ? field(name) : nullptr;
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  SafetensorsField* field(std::string_view name) {
    SafetensorsDescription& tensor = tensors_.back();
    if (name == "dtype") return &tensor.dtype;
    if (name == "shape") return &tensor.shape;
    if (name == "data_offsets") return &tensor.data_offsets;
    return nullptr;
  }

  bool value(const char* type) {
    if (depth_ == 0) root_ = type;
    if (depth_ == 2 && field_ != nullptr) field_->type = type;
    if (depth_ == 3 && list_ != nullptr && list_->not_whole_number == nullptr) list_->not_whole_number = type;
    return true;
  }
  bool open(const char* type) {
    value(type);
    if (depth_ == kSafetensorsDepthLimit) {
      throw WeightsError(*file_, {}, "a safetensors header", "JSON nested too deeply");
    }
    if (depth_ == 1) field_ = nullptr;
    if (depth_ == 2) list_ = std::string_view(type) == "array" ? field_ : nullptr;
    ++depth_;
    keys_[depth_].clear();
    return true;
  }
  bool close() {
    --depth_;
    if (depth_ == 2) list_ = nullptr;
    if (depth_ == 1) field_ = nullptr;
    return true;
  }

  const std::string* file_;
  const char* root_ = "null";
  std::vector<SafetensorsDescription> tensors_;
  std::array<std::unordered_set<std::string>, kSafetensorsDepthLimit + 1> keys_;  // of the object at each depth
  std::size_t depth_ = 0;                                                         // objects and arrays that are open
  bool described_ = false;             // whether what is open describes a tensor
  SafetensorsField* field_ = nullptr;  // the member whose value comes
  SafetensorsField* list_ = nullptr;   // the member whose elements come
};

}  // namespace rvm::detail
