// The program live, run as a user runs it, and asked as a browser asks.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <rvm/rvm.hpp>

#include "common/live/httplib.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/live.hpp"
#include "support/run_program.hpp"
#include "support/sanitized.hpp"
#include "support/started_program.hpp"
#include "support/temp_dir.hpp"

using namespace std::chrono_literals;

namespace {

const std::string kClip = RVM_EXAMPLES_DATA "/clip.mp4";

/// A video of 20 frames without a decoder, whose threads a thread sanitizer cannot see through.
std::string video_in(const test::TempDir& dir) {
  rvm::save_npy(dir / "random.npy", test::Random(1).bytes({20, 96, 160, 3}));
  return (dir / "random.npy").string();
}

/// The program, and what a browser does with it.
class Live {
 public:
  Live(const std::vector<std::string>& arguments, const std::string& input)
      : program_(command(arguments, input)), url_(program_.line()) {
    if (!url_.starts_with("http://127.0.0.1:")) throw std::runtime_error("live printed: " + url_);
  }

  test::StartedProgram& program() { return program_; }
  std::string port() const { return url_.substr(url_.rfind(':') + 1, url_.size() - url_.rfind(':') - 2); }

  httplib::Client client() const {
    httplib::Client client(url_.substr(0, url_.size() - 1));
    client.set_read_timeout(60);
    return client;
  }
  test::DecodedMoment moment(std::uint64_t after = 0) const {
    for (;;) {
      const auto result = client().Get("/moment?after=" + std::to_string(after));
      if (!result) throw std::runtime_error("no answer");
      if (result->status == 200) return test::DecodedMoment(result->body);
    }
  }
  /// The first moment that meets the condition.
  template <class Condition>
  nlohmann::json until(Condition condition) const {
    nlohmann::json json = moment().json;
    while (!condition(json)) json = moment(json["serial"]).json;
    return json;
  }
  int post(const std::string& path, const std::string& body = "", const char* type = "application/json") const {
    return client().Post(path, body, type)->status;
  }

 private:
  static std::vector<std::string> command(const std::vector<std::string>& arguments, const std::string& input) {
    // The backend without threads of its own, which thread sanitizers can see through.
    std::vector<std::string> all{
        RVM_LIVE, "--weights", test::data("weights.npz"), "--input", input, "--backend", "eigen", "--threads", "1"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }

  test::StartedProgram program_;
  std::string url_;
};

auto status_is(const std::string& status) {
  return [status](const nlohmann::json& json) { return json["status"] == status; };
}
auto frames_are_at_least(std::uint64_t count) {
  return [count](const nlohmann::json& json) { return json["frames"] >= count; };
}

/// Resident kilobytes of a process.
std::size_t memory_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; file >> word;) {
    if (word == "VmRSS:") {
      std::size_t kilobytes = 0;
      file >> kilobytes;
      return kilobytes;
    }
  }
  throw std::runtime_error("no such process");
}

}  // namespace

TEST_CASE("live plays a video, shows what the model says, and stays at its end") {
  const test::TempDir dir;
  const test::Clip clip("features_96x160.npz");
  rvm::save_npy(dir / "video.npy", clip.video);
  Live live({}, (dir / "video.npy").string());
  const nlohmann::json end = live.until(status_is("ended"));
  CHECK(end["frames"] == 3);
  CHECK(end["width"] == 160);
  CHECK(end["height"] == 96);
  CHECK(end["source"] == "video.npy");
  CHECK(end["notice"] == "");
  double squares = 0;
  for (const float v : clip.features[2]) squares += double{v} * double{v};
  CHECK(end["norm"].get<double>() == Approx(std::sqrt(squares)).epsilon(1e-5));
  CHECK(live.client().Get("/state")->status == 200);  // the state is still there
  CHECK(live.post("/resume") == 200);
  const nlohmann::json again = live.until([](const auto& json) { return json["frames"] == 6; });
  CHECK(live.until(status_is("ended"))["frames"] == 6);
  CHECK(live.post("/reset") == 200);  // begins again, too
  CHECK(live.until([](const auto& json) { return json["frames"] == 3; })["norm"].get<double>() ==
        Approx(std::sqrt(squares)).epsilon(1e-5));
  live.program().signal(SIGTERM);
  CHECK(live.program().wait(60s) == 0);
}

TEST_CASE("live keeps the pace of the file, or the one asked for") {
  const auto seconds_for = [](const std::vector<std::string>& arguments, std::uint64_t frames) {
    Live live(arguments, kClip);
    live.until(frames_are_at_least(1));
    const auto start = std::chrono::steady_clock::now();
    live.until(frames_are_at_least(1 + frames));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  CHECK(seconds_for({}, 20) > 0.9);  // the clip's 20 frames per second
  CHECK(seconds_for({"--fps", "10"}, 10) > 0.9);
}

TEST_CASE("live tracks, pauses, saves, restores and resets") {
  const test::TempDir dir;
  Live live({"--loop", "--fps", "0", "--state", (dir / "kept").string()}, video_in(dir));
  live.until(frames_are_at_least(25));  // on beyond the end
  CHECK(live.post("/track", R"({"x": 100, "y": 60, "step": 1})") == 200);
  live.until([](const auto& json) { return json["points"].size() == 1 && json["points"][0]["trail"].size() > 5; });
  CHECK(live.post("/track", R"({"x": 160, "y": 60, "step": 1})") == 400);
  CHECK(live.post("/pause") == 200);
  const nlohmann::json paused = live.moment().json;
  CHECK(paused["status"] == "paused");
  CHECK(live.client().Get("/moment?after=" + paused["serial"].dump())->status == 204);

  CHECK(live.post("/save") == 200);
  const std::string saved = live.client().Get("/state")->body;
  CHECK(test::read_file(dir / "kept") == test::bytes_of(saved));
  CHECK(live.post("/resume") == 200);
  live.until(frames_are_at_least(paused["frames"].get<std::uint64_t>() + 5));
  CHECK(live.post("/pause") == 200);
  CHECK(live.client().Get("/state")->body != saved);
  CHECK(live.post("/restore") == 200);
  CHECK(live.client().Get("/state")->body == saved);
  const nlohmann::json restored = live.moment().json;
  CHECK(restored["frames"] == paused["frames"]);
  CHECK(restored["norm"] == paused["norm"]);
  CHECK(restored["points"].empty());

  CHECK(live.post("/reset") == 200);
  const nlohmann::json zero = live.moment().json;
  CHECK(zero["frames"] == 0);
  CHECK(zero["norm"] == 0);
  CHECK(zero["status"] == "paused");
  CHECK(live.post("/restore", saved, "application/octet-stream") == 200);
  CHECK(live.client().Get("/state")->body == saved);
  const auto bad = live.client().Post("/restore", saved.substr(1), "application/octet-stream");
  CHECK(bad->status == 400);
  CHECK_THAT(bad->body, ContainsSubstring("not a saved state"));
  CHECK(live.client().Get("/state")->body == saved);
}

TEST_CASE("live is stopped within a second, with browsers waiting") {
  const test::TempDir dir;
  Live live({"--loop"}, video_in(dir));
  live.until(frames_are_at_least(1));
  live.post("/pause");
  const std::uint64_t serial = live.moment().json["serial"];
  std::vector<std::thread> browsers;
  for (int i = 0; i < 4; ++i) {
    browsers.emplace_back([&] { live.client().Get("/moment?after=" + std::to_string(serial)); });
  }
  std::this_thread::sleep_for(50ms);  // most of them wait by now; it does not matter
  const auto start = std::chrono::steady_clock::now();
  live.program().signal(SIGINT);
  CHECK(live.program().wait(60s) == 0);
  CHECK(std::chrono::steady_clock::now() - start < 1s);
  for (std::thread& browser : browsers) browser.join();
}

TEST_CASE("live takes no more memory the longer it plays") {
  if (RVM_TEST_SANITIZED) return;
  ::setenv("MALLOC_ARENA_MAX", "1", 1);  // or memory depends on which threads the allocator has seen
  Live live({"--loop", "--fps", "0"}, kClip);
  ::unsetenv("MALLOC_ARENA_MAX");
  CHECK(live.post("/track", R"({"x": 100, "y": 60, "step": 1})") == 200);
  live.until(frames_are_at_least(200));
  const std::size_t before = memory_of(live.program().id());
  live.until(frames_are_at_least(600));  // ten times the clip, each opened anew
  CHECK(memory_of(live.program().id()) < before + 2048);
}

TEST_CASE("a video that breaks off is told on the page, and what is there stays") {
  const test::TempDir dir;
  const auto pixels = test::Random(1).bytes({16, 16, 3});
  std::filesystem::create_directory(dir / "frames");
  const auto ppm = [&](const std::string& name, const std::string& size, std::size_t bytes) {
    std::vector<std::byte> file = test::bytes_of("P6 " + size + " 255\n");
    for (std::size_t i = 0; i < bytes; ++i) file.push_back(static_cast<std::byte>(pixels.data()[i]));
    test::write_file(dir / ("frames/" + name), file);
  };
  ppm("1.ppm", "16 16", 768);
  ppm("2.ppm", "16 16", 768);
  ppm("3.ppm", "16 8", 384);
  Live live({"--loop"}, (dir / "frames").string());
  const nlohmann::json end = live.until(status_is("ended"));
  CHECK(end["frames"] == 2);
  CHECK_THAT(end["notice"].get<std::string>(), ContainsSubstring("3.ppm") && ContainsSubstring("16x16"));
  std::filesystem::remove_all(dir / "frames");
  const auto gone = live.client().Post("/resume", "", "application/json");
  CHECK(gone->status == 500);
  CHECK_THAT(gone->body, ContainsSubstring("No such file"));
  CHECK(live.moment().json["status"] == "ended");
}

TEST_CASE("live refuses what it cannot do in one line") {
  const test::TempDir dir;
  const std::string video = video_in(dir);
  const auto run = [](const std::string& arguments) {
    return test::run_program(std::string(RVM_LIVE) + " --weights " + test::data("weights.npz") + " " + arguments);
  };
  const auto fails = [&](const std::string& arguments, const std::string& reason) {
    const auto result = run(arguments);
    CAPTURE(arguments, result.err);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, ContainsSubstring("live: ") && ContainsSubstring(reason));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  };
  fails("--input /no/such/video.mp4", "/no/such/video.mp4");
  fails("--input /dev/null", "/dev/null: ");  // no camera
  fails("--input " + video + " --host 192.0.2.1", "cannot serve on 192.0.2.1:0");
  Live other({"--loop"}, video);
  fails("--input " + video + " --port " + other.port(), "in use");
  for (const char* arguments : {"", "--input x --port 70000", "--input x --fps -1", "--input x --unknown"}) {
    CHECK(run(arguments).exit_code == 2);
  }
  CHECK_THAT(run("--help").out, ContainsSubstring("/dev/video0") && ContainsSubstring("--port N"));
}
