#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace rvm::examples {

/// The results of an evaluation in a JSON file that gains a sequence at a time, so that an evaluation which was stopped
/// goes on where it was. The file is whole at any moment: every change replaces it at once.
///
///     {"settings": {...}, "sequences": {NAME: {...}, ...}, "left out": {NAME: REASON, ...}, "all": {...}}
///
/// The last two come with finish(): a file without them is not finished.
class ResultStore {
 public:
  /// Opens `path`. The sequences that are in it stay if it belongs to an evaluation with the same settings; `anew`
  /// throws away whatever is there. Throws rvm::IoError if it cannot be read or written, is something else, or belongs
  /// to other settings, which are then named.
  ResultStore(std::filesystem::path path, const nlohmann::json& settings, bool anew = false);

  /// What is stored of a sequence; null if nothing is. Valid until the next add().
  const nlohmann::json* find(const std::string& sequence) const;
  /// Stores what a sequence has given. Throws rvm::IoError.
  void add(const std::string& sequence, nlohmann::json result);
  /// Stores the end: the figures of all, and of each sequence that was left out the reason. Throws rvm::IoError.
  void finish(const nlohmann::json& figures, const nlohmann::json& left_out);

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void read(const nlohmann::json& settings);
  void write() const;

  std::filesystem::path path_;
  nlohmann::json content_;
};

/// What is in such a file: the objects "settings" and "sequences", whatever they hold. Throws rvm::IoError,
/// which begins with `name`, if it is something else.
nlohmann::json parse_results(std::string_view text, const std::string& name);

}  // namespace rvm::examples
