#include <string>

#include <nlohmann/json.hpp>
#include <rvm/core/error.hpp>

#include "common/result_store.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using nlohmann::json;
using rvm::examples::ResultStore;

namespace {

const json kSettings{{"size", "96x160"}, {"precision", "f32"}, {"top k", 7}};

json read_json(const std::filesystem::path& path) {
  const auto bytes = test::read_file(path);
  const auto* const text = reinterpret_cast<const char*>(bytes.data());
  return json::parse(text, text + bytes.size());
}

}  // namespace

TEST_CASE("results are stored one by one, and found again") {
  const test::TempDir dir;
  {
    ResultStore store(dir / "r.json", kSettings);
    CHECK(store.find("a") == nullptr);
    store.add("a", {{"J", 0.1}, {"list", {1, 2, 3}}});
    CHECK(read_json(dir / "r.json")["sequences"]["a"]["J"] == 0.1);
    store.add("b/\"c\"", {{"J", 1.0 / 3}});
    REQUIRE(store.find("a") != nullptr);
    CHECK(store.find("a")->at("list") == json{1, 2, 3});
  }
  CHECK_FALSE(read_json(dir / "r.json").contains("all"));
  ResultStore again(dir / "r.json", kSettings);
  REQUIRE(again.find("b/\"c\"") != nullptr);
  CHECK(again.find("b/\"c\"")->at("J") == 1.0 / 3);  // to the last bit
  again.finish({{"J", 0.25}}, {{"d", "it is broken"}});
  const json whole = read_json(dir / "r.json");
  CHECK(whole["all"]["J"] == 0.25);
  CHECK(whole["left out"]["d"] == "it is broken");
  CHECK(whole["settings"] == kSettings);
  CHECK(whole["sequences"].size() == 2);
}

TEST_CASE("results of other settings are refused, and what differs is said") {
  const test::TempDir dir;
  ResultStore(dir / "r.json", kSettings).add("a", {{"J", 1}});
  json other = kSettings;
  other["precision"] = "bf16";
  other["radius"] = 20.0;
  CHECK_THROWS_WITH(ResultStore(dir / "r.json", other),
                    ContainsSubstring("r.json: belongs to another evaluation: ") &&
                        ContainsSubstring("precision is \"f32\" there and \"bf16\" here") &&
                        ContainsSubstring("radius is null there and 20.0 here") && !ContainsSubstring("size is") &&
                        ContainsSubstring("--anew"));
  CHECK(read_json(dir / "r.json")["sequences"].size() == 1);  // untouched
  ResultStore anew(dir / "r.json", other, true);
  CHECK(anew.find("a") == nullptr);
  CHECK(read_json(dir / "r.json")["settings"] == other);
}

TEST_CASE("paths that are not UTF-8 are no reason to lose results") {
  const test::TempDir dir;
  json settings = kSettings;
  settings["data"] = "caf\xe9";
  ResultStore store(dir / "r.json", settings);
  store.add("a", {{"J", 1}});
  store.add("caf\xe9", {{"J", 2}});
  CHECK(store.find("caf\xe9") != nullptr);
  const ResultStore again(dir / "r.json", settings);
  REQUIRE(again.find("caf\xe9") != nullptr);
  CHECK(again.find("caf\xe9")->at("J") == 2);
  store.finish({{"J", 0.25}}, {{"b", "caf\xe9: cannot be read"}});
  CHECK(read_json(dir / "r.json")["all"]["J"] == 0.25);
}

TEST_CASE("a file that holds something else is refused and kept") {
  const test::TempDir dir;
  const auto refuses = [&](const std::string& text, const std::string& reason) {
    CAPTURE(text.substr(0, 100));
    test::write_file(dir / "r.json", test::bytes_of(text));
    CHECK_THROWS_WITH(ResultStore(dir / "r.json", kSettings),
                      ContainsSubstring("r.json: " + reason + "; name another --output"));
    CHECK(test::read_file(dir / "r.json") == test::bytes_of(text));
  };
  refuses("", "expected JSON, found none at byte 1");
  refuses("hello", "expected JSON, found none at byte 1");
  refuses("[1, 2]", "settings: expected object, found none");
  refuses("{}", "settings: expected object, found none");
  refuses("{\"settings\": 3}", "settings: expected object, found number");
  refuses("{\"settings\": {}, \"sequences\": [", "expected JSON, found none at byte 32");
  refuses("{\"settings\": {}, \"sequences\": []}", "sequences: expected object, found array");
  refuses("{\"settings\": {\"a\": 1e999}}", "expected JSON, found a number beyond all bounds");
  refuses(std::string(100'000, '['), "expected JSON of at most 16 levels, found more");
  refuses("{\"settings\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}",
          "expected JSON of at most 16 levels, found more");
  CHECK_THROWS_AS(ResultStore(dir.path(), kSettings), rvm::IoError);
  CHECK_THROWS_WITH(ResultStore(dir / "no/r.json", kSettings), ContainsSubstring("no/r.json: cannot"));
}
