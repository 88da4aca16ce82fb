#include "common/result_store.hpp"

#include <span>
#include <utility>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/detail/text.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>

#include "common/json.hpp"

namespace rvm::examples {
namespace {

/// "precision is "bf16" there and "f32" here; ..."
std::string differences(const nlohmann::json& there, const nlohmann::json& here) {
  std::string text;
  const auto add = [&](const std::string& key) {
    const nlohmann::json nothing;
    const nlohmann::json& a = there.contains(key) ? there.at(key) : nothing;
    const nlohmann::json& b = here.contains(key) ? here.at(key) : nothing;
    if (a != b)
      text += (text.empty() ? "" : "; ") + rvm::detail::printable(key + " is " + as_text(a)) + " there and " +
              as_text(b) + " here";
  };
  for (const auto& [key, value] : here.items()) add(key);
  for (const auto& [key, value] : there.items()) {
    if (!here.contains(key)) add(key);
  }
  return text;
}

}  // namespace

// What a file would give of a value: bytes that are not UTF-8 are others then.
nlohmann::json as_read_back(const nlohmann::json& value) {
  return nlohmann::json::parse(as_text(value));
}

nlohmann::json parse_results(std::string_view text, const std::string& name) {
  nlohmann::json results = parse_json(text, name);
  try {
    object_at(results, "settings");
    object_at(results, "sequences");
  } catch (const IoError& error) {
    throw IoError(name + ": " + error.what());
  }
  return results;
}

ResultStore::ResultStore(std::filesystem::path path, const nlohmann::json& settings, bool anew)
    : path_(std::move(path)), content_{{"settings", as_read_back(settings)}, {"sequences", nlohmann::json::object()}} {
  if (!anew && std::filesystem::exists(path_)) read(content_["settings"]);
  write();  // so that a place where nothing can be stored is known before anything is computed
}

void ResultStore::read(const nlohmann::json& settings) {
  const std::string escape = "; name another --output, or throw it away with --anew";
  const MappedFile file(path_);
  const auto* const text = reinterpret_cast<const char*>(file.bytes().data());
  nlohmann::json found;
  try {
    found = parse_results({text, file.bytes().size()}, path_.string());
  } catch (const IoError& error) {
    throw IoError(error.what() + escape);
  }
  if (found["settings"] != settings) {
    throw IoError(path_.string() + ": belongs to another evaluation: " + differences(found["settings"], settings) +
                  escape);
  }
  content_["sequences"] = std::move(found["sequences"]);
}

const nlohmann::json* ResultStore::find(const std::string& sequence) const {
  const nlohmann::json& sequences = content_["sequences"];
  const auto found = sequences.find(as_read_back(sequence).get<std::string>());
  return found == sequences.end() ? nullptr : &*found;
}

void ResultStore::add(const std::string& sequence, nlohmann::json result) {
  content_["sequences"][as_read_back(sequence).get<std::string>()] = std::move(result);
  write();
}

void ResultStore::finish(const nlohmann::json& figures, const nlohmann::json& left_out) {
  content_["left out"] = left_out;
  content_["all"] = figures;
  write();
}

void ResultStore::write() const {
  // A sequence a line, so that a person can read the file too.
  std::string text = "{\"settings\": " + as_text(content_["settings"]) + ",\n\"sequences\": {";
  std::string_view between = "\n";
  for (const auto& [name, result] : content_["sequences"].items()) {
    text.append(between).append(as_text(name)).append(": ").append(as_text(result));
    between = ",\n";
  }
  text += "\n}";
  for (const char* const key : {"left out", "all"}) {
    if (content_.contains(key)) text.append(",\n\"").append(key).append("\": ").append(as_text(content_[key]));
  }
  text += "}\n";
  AtomicFile file(path_);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace rvm::examples
