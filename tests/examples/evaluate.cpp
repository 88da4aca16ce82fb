// The program evaluate on small data sets in the layouts of the real ones. What it must say of them is in
// tests/data/evaluation/expected.json, from the NumPy implementation.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <rvm/rvm.hpp>

#include "common/label_png.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/run_program.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const std::string kData = test::data("evaluation");

json read_json(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

/// Runs evaluate; `arguments` begin with the data set's name, which is also its folder in `data`.
test::ProgramResult evaluate(const std::string& arguments, const fs::path& output, const fs::path& data = kData) {
  return test::run_program(std::string(RVM_EVALUATE) + " " + arguments + " --weights " + test::data("weights.npz") +
                           " --data " + (data / arguments.substr(0, arguments.find(' '))).string() + " --output " +
                           output.string());
}

/// Every figure of `expected` is in `found`, to 1e-6.
void check_figures(const json& found, const json& expected) {
  REQUIRE(!expected.empty());
  for (const auto& [name, value] : expected.items()) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    CHECK(std::abs(found.at(name).get<double>() - value.get<double>()) < 1e-6);
  }
}

void check_results(const fs::path& output, const json& expected) {
  const json found = read_json(output);
  CHECK(found.at("sequences").size() == expected.at("sequences").size());
  for (const auto& [name, figures] : expected.at("sequences").items()) {
    CAPTURE(name);
    check_figures(found.at("sequences").at(name), figures);
  }
  check_figures(found.at("all"), expected.at("all"));
}

/// What is expected of the first run of a data set.
json expected_of(const std::string& name) {
  for (const json& run : read_json(kData + "/expected.json")) {
    if (run.at("arguments").get<std::string>().starts_with(name + " ")) return run;
  }
  throw std::runtime_error("nothing is expected of " + name);
}

void copy_data(const std::string& name, const fs::path& to) {
  fs::copy(fs::path(kData) / name, to / name, fs::copy_options::recursive);
}

/// One line on standard error, and what it says.
void check_line(const test::ProgramResult& result, const std::string& text) {
  CAPTURE(result.err);
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  CHECK_THAT(result.err, ContainsSubstring("evaluate: ") && ContainsSubstring(text));
}

}  // namespace

TEST_CASE("evaluate gives the figures of the NumPy implementation") {
  const test::TempDir dir;
  const json runs = read_json(kData + "/expected.json");
  REQUIRE(runs.size() == 6);
  for (const json& run : runs) {
    const auto arguments = run.at("arguments").get<std::string>();
    CAPTURE(arguments);
    const auto result = evaluate(arguments, dir / "out.json");
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    check_results(dir / "out.json", run);
    fs::remove(dir / "out.json");
  }
}

#ifdef RVM_PROGRAM_ONEDNN
TEST_CASE("evaluate gives the same figures on the portable backend") {
  const test::TempDir dir;
  for (const std::string name : {"davis", "jhmdb", "vip"}) {
    const json run = expected_of(name);
    CHECK(evaluate(run.at("arguments").get<std::string>() + " --backend eigen", dir / (name + ".json")).exit_code == 0);
    check_results(dir / (name + ".json"), run);
  }
}
#endif

TEST_CASE("evaluate prints figures as the authors' notebooks do") {
  const test::TempDir dir;
  const auto davis = evaluate("davis --size 96x160", dir / "davis.json");
  const json all = expected_of("davis").at("all");
  CHECK_THAT(davis.out,
             ContainsSubstring("3 of 3 sequences") &&
                 ContainsSubstring("\nJ&F-Mean " + std::to_string(all.at("J&F").get<double>()) + "\nJ-Mean ") &&
                 ContainsSubstring("\nF-Mean " + std::to_string(all.at("F").get<double>()) + "\n"));
  CHECK_THAT(davis.out, ContainsSubstring("\nleaves ") && ContainsSubstring("J&F 0."));
  CHECK_THAT(evaluate("jhmdb --size 96x96", dir / "jhmdb.json").out,
             ContainsSubstring("\nPCK@0.1: 6.2222\n") && ContainsSubstring("catch/second_catch_1 "));
  CHECK_THAT(evaluate("vip --size 96x160", dir / "vip.json").out, ContainsSubstring("\nbackground     : 0.") &&
                                                                      ContainsSubstring("\nhat            : nan\n") &&
                                                                      ContainsSubstring("\nmean IoU 0."));
}

TEST_CASE("a broken sequence is left out, and the next run does it alone") {
  // Of each data set: a file without which one sequence is broken, and the folder of all sequences' frames.
  struct Case {
    std::string name, file, broken, frames;
  };
  for (const Case& data : {Case{"davis", "Annotations/480p/appears/00002.png", "appears", "JPEGImages/480p"},
                           Case{"jhmdb", "joint_positions/catch/second_catch_1/joint_positions.mat",
                                "catch/second_catch_1", "Rename_Images"},
                           Case{"vip", "Annotations/Category_ids/videos1/000000000026.png", "videos1", "Images"}}) {
    const test::TempDir dir;
    CAPTURE(data.name);
    const json expected = expected_of(data.name);
    const auto arguments = expected.at("arguments").get<std::string>();
    copy_data(data.name, dir.path());
    const fs::path root = dir / data.name;
    fs::rename(root / data.file, dir / "file");

    auto result = evaluate(arguments, dir / "out.json", dir.path());
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring("evaluate: " + data.broken + " is left out: " + root.string()) &&
                               ContainsSubstring("evaluate: 1 of "));
    json stored = read_json(dir / "out.json");
    CHECK(stored.at("sequences").size() == expected.at("sequences").size() - 1);
    CHECK(stored.at("left out").size() == 1);
    CHECK(stored.at("left out").contains(data.broken));
    CHECK(stored.at("all") != expected.at("all"));

    // Repaired; what has been done cannot be done again.
    fs::rename(dir / "file", root / data.file);
    for (const auto& [name, figures] : expected.at("sequences").items()) {
      if (name != data.broken) fs::remove_all(root / data.frames / name);
    }
    result = evaluate(arguments, dir / "out.json", dir.path());
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, ContainsSubstring("(stored)"));
    check_results(dir / "out.json", expected);
    CHECK(read_json(dir / "out.json").at("left out").empty());
  }
}

TEST_CASE("evaluate goes on after it was interrupted") {
  const test::TempDir dir;
  const json expected = expected_of("davis");
  // So large that the first sequence is stored long before the last is done.
  const std::string command = std::string(RVM_EVALUATE) + " davis --size 480x640 --weights " +
                              test::data("weights.npz") + " --data " + kData + "/davis --output " +
                              (dir / "out.json").string();
  const auto interrupted =
      test::run_program("(" + command + " & program=$!; until grep -qs square " + (dir / "out.json").string() +
                        " || ! kill -0 $program; do sleep 0.01; done; kill -TERM $program; wait $program)");
  CAPTURE(interrupted.err);
  CHECK(interrupted.exit_code == 1);
  CHECK_THAT(interrupted.err, ContainsSubstring("interrupted; 1 of 3 sequences are stored in "));
  const json stored = read_json(dir / "out.json");
  CHECK(stored.at("sequences").size() == 1);
  CHECK_FALSE(stored.contains("all"));

  const auto resumed = test::run_program(command);
  CHECK(resumed.exit_code == 0);
  const json whole = read_json(dir / "out.json");
  CHECK(whole.at("sequences").at("square") == stored.at("sequences").at("square"));
  REQUIRE(evaluate("davis --size 480x640", dir / "at_once.json").exit_code == 0);
  check_figures(whole.at("all"), read_json(dir / "at_once.json").at("all"));
}

TEST_CASE("evaluate keeps what it has stored when it can store no more") {
  const test::TempDir dir;
  // As on a full disk, but for the reason: no file may be longer than one block.
  const auto result = test::run_program("(trap '' XFSZ; ulimit -f 1; " + std::string(RVM_EVALUATE) +
                                        " vip --size 64x64 --weights " + test::data("weights.npz") + " --data " +
                                        kData + "/vip --output " + (dir / "out.json").string() + ")");
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  check_line(result, "out.json: cannot write: File too large");
  CHECK(read_json(dir / "out.json").at("settings").at("size") == "64x64");
  CHECK(read_json(dir / "out.json").at("sequences").empty());
}

TEST_CASE("results belong to what they were made with") {
  const test::TempDir dir;
  REQUIRE(evaluate("vip --size 96x160", dir / "out.json").exit_code == 0);
  const auto refuses = [&](const std::string& arguments, const std::string& reason) {
    const auto result = evaluate(arguments, dir / "out.json");
    CAPTURE(arguments);
    CHECK(result.exit_code == 1);
    check_line(result, "out.json: belongs to another evaluation: " + reason);
  };
  refuses("vip --size 96x144", "size is \"96x160\" there and \"96x144\" here; name another");
  refuses("vip --size 96x160 --top-k 7", "top k is 10 there and 7 here; name another");
  refuses("vip --size 96x160 --temperature 0.5", "temperature is 0.7 there and 0.5 here");
#ifdef RVM_PROGRAM_ONEDNN
  refuses("vip --size 96x160 --precision bf16", "precision is \"f32\" there and \"bf16\" here");
#endif
  const std::string other = (dir / "other.npz").string();
  rvm::save_npz(other, rvm::random_weights(rvm::read_config(rvm::WeightReader(test::small_weights())), 7));
  const auto weights = test::run_program(std::string(RVM_EVALUATE) + " vip --size 96x160 --weights " + other +
                                         " --data " + kData + "/vip --output " + (dir / "out.json").string());
  CHECK(weights.exit_code == 1);
  check_line(weights, "weights is ");
  CHECK(evaluate("vip --size 96x160 --top-k 7 --anew", dir / "out.json").exit_code == 0);
  CHECK(read_json(dir / "out.json").at("settings").at("top k") == 7);
}

TEST_CASE("stored results that are none are refused by their key's name, and kept") {
  const test::TempDir dir;
  const auto refuses = [&](const std::string& name, const std::string& sequence, const json& result,
                           const std::string& reason) {
    const fs::path output = dir / (name + ".json");
    if (!fs::exists(output)) REQUIRE(evaluate(name + " --size 64x64", output).exit_code == 0);
    json stored = read_json(output);
    stored.at("sequences").at(sequence) = result;
    const std::string text = stored.dump();
    std::ofstream(output) << text;
    const auto refused = evaluate(name + " --size 64x64", output);
    CAPTURE(name, text);
    CHECK(refused.exit_code == 1);
    check_line(refused, name + ".json: sequences: " + sequence + ": " + reason + "; throw it away with --anew");
    CHECK(read_json(output).at("sequences").at(sequence) == result);
  };
  const json figures{{"J&F", 0.5}, {"J", 0.5}, {"F", nullptr}};
  const auto with = [](json object, const char* key, const json& value) {
    object[key] = value;
    return object;
  };
  refuses("davis", "square", with(figures, "J", "0.5"), "J: expected number, found string");
  refuses("davis", "square", figures, "objects: expected array, found none");
  refuses("davis", "square", with(figures, "objects", {{"J", 0.5}}), "objects: expected array, found object");
  refuses("davis", "square", with(figures, "objects", json::array({1})), "J: expected number, found none");
  refuses("jhmdb", "catch/second_catch_1", 3, "counts: expected array, found none");
  refuses("jhmdb", "catch/second_catch_1", json::array(), "counts: expected array, found none");
  refuses("jhmdb", "catch/second_catch_1", {{"counts", {1, -1}}}, "counts: expected whole numbers, found number");
  refuses("jhmdb", "catch/second_catch_1", {{"PCK@0.1", "1"}}, "PCK@0.1: expected number, found string");
  refuses("vip", "videos1", {{"mean IoU", 0.5}, {"counts", {1, 2}}}, "expected 400 counts, found 2");
  refuses("vip", "videos1", {{"mean IoU", true}}, "mean IoU: expected number, found boolean");
}

TEST_CASE("evaluate says what is wrong with a sequence") {
  const test::TempDir dir;
  const auto leaves_out = [&](const std::string& name, const std::string& sequence, const std::string& reason,
                              const auto& damage) {
    CAPTURE(name, sequence, reason);
    copy_data(name, dir.path());
    damage(dir / name);
    const auto result = evaluate(name + " --size 64x64", dir / "out.json", dir.path());
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring(sequence + " is left out: ") && ContainsSubstring(reason));
    fs::remove_all(dir / name);
    fs::remove(dir / "out.json");
  };
  const auto shorten = [](const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); };
  const fs::path davis_mask = "Annotations/480p/square/00003.png";
  leaves_out("davis", "square",
             "00003.png: cannot be read as a PNG: ", [&](const fs::path& root) { shorten(root / davis_mask); });
  leaves_out("davis", "square", "00003.jpg: cannot be read as an image: ", [&](const fs::path& root) {
    fs::resize_file(root / "JPEGImages/480p/square/00003.jpg", 100);
  });
  leaves_out("davis", "square", "00003.png: the mask is 96x159, while the frame is 96x160", [&](const fs::path& root) {
    rvm::examples::save_label_png(root / davis_mask, rvm::LabelImage({96, 159}));
  });
  leaves_out("davis", "square", "00003.png: has the label 11, while objects are 1 to 10", [&](const fs::path& root) {
    rvm::LabelImage mask({96, 160});
    mask(50, 50) = 11;
    rvm::examples::save_label_png(root / davis_mask, mask);
  });
  leaves_out("davis", "square", "00003.jpg: a frame without a mask",
             [&](const fs::path& root) { fs::remove(root / davis_mask); });
  leaves_out("davis", "square", "00003.png: a mask of no frame",
             [](const fs::path& root) { fs::remove(root / "JPEGImages/480p/square/00003.jpg"); });
  leaves_out("davis", "square", "square: no images", [](const fs::path& root) {
    fs::remove_all(root / "JPEGImages/480p/square");
    fs::create_directory(root / "JPEGImages/480p/square");
  });
  leaves_out("davis", "missing", "480p/missing: No such file", [](const fs::path& root) {
    std::ofstream(root / "ImageSets/2017/val.txt", std::ios::app) << "missing\n";
  });
  leaves_out("jhmdb", "catch/second_catch_1", "has 4 frames, while 5 have joints", [](const fs::path& root) {
    fs::remove(root / "Rename_Images/catch/second_catch_1/00005.png");
    fs::remove(root / "Rename_Images/catch/second_catch_1/00006.png");
  });
  leaves_out("jhmdb", "catch/second_catch_1", "joint_positions.mat: not a MATLAB file, or a damaged one",
             [&](const fs::path& root) { shorten(root / "joint_positions/catch/second_catch_1/joint_positions.mat"); });
  leaves_out("vip", "videos1", "label 20 was predicted, but there are 20 classes", [](const fs::path& root) {
    const fs::path path = root / "Annotations/Category_ids/videos1/000000000001.png";
    rvm::LabelImage mask = rvm::examples::read_label_png(path);
    std::replace(mask.begin(), mask.end(), std::uint8_t{4}, std::uint8_t{20});
    rvm::examples::save_label_png(path, mask);
  });
}

TEST_CASE("evaluate says what is wrong with a data set") {
  const test::TempDir dir;
  const auto fails = [&](const std::string& name, const std::string& reason) {
    const auto result = evaluate(name, dir / "out.json", dir.path());
    CAPTURE(name);
    CHECK(result.exit_code == 1);
    check_line(result, reason);
  };
  for (const std::string name : {"davis", "jhmdb", "vip"}) fs::create_directory(dir / name);
  fails("davis", "davis/ImageSets/2017/val.txt: cannot read: No such file");
  fails("jhmdb", "jhmdb/splits: No such file");
  fails("vip", "vip/lists/val_videos.txt: cannot read: No such file");
  fs::create_directory(dir / "jhmdb/splits");
  fails("jhmdb", "jhmdb: its lists name no sequences");
  std::ofstream(dir / "jhmdb/splits/a_test_split1.txt") << "video.avi two\n";
  fails("jhmdb", "a_test_split1.txt: expected lines \"VIDEO.avi 2\", found \"video.avi two\"");
  CHECK_FALSE(fs::exists(dir / "out.json"));

  // All sequences broken: no figures.
  fs::create_directory(dir / "vip/lists");
  std::ofstream(dir / "vip/lists/val_videos.txt") << "videos1\n";
  const auto none = evaluate("vip", dir / "out.json", dir.path());
  CHECK(none.exit_code == 1);
  CHECK_THAT(none.err, ContainsSubstring("evaluate: all sequences are broken\n"));

  const auto place = evaluate("davis --size 64x64", dir / "no/out.json");
  CHECK(place.exit_code == 1);
  check_line(place, "no/out.json: cannot create: No such file");
}

TEST_CASE("evaluate is told what to do") {
  CHECK(test::run_program(RVM_EVALUATE).exit_code == 2);
  CHECK(test::run_program(std::string(RVM_EVALUATE) + " kinetics --data x").exit_code == 2);
  CHECK(test::run_program(std::string(RVM_EVALUATE) + " davis --weights x").exit_code == 2);
  CHECK(test::run_program(std::string(RVM_EVALUATE) + " davis --weights x --data y --top-k 0").exit_code == 2);
  const auto help = test::run_program(std::string(RVM_EVALUATE) + " --help");
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, ContainsSubstring("davis") && ContainsSubstring("Exit code"));
  const auto davis = test::run_program(std::string(RVM_EVALUATE) + " davis --help");
  CHECK_THAT(davis.out, ContainsSubstring("--data DIR") && ContainsSubstring("default: 480x880"));
}
