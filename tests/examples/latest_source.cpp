#include "common/latest_source.hpp"

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <rvm/core/error.hpp>
#include <rvm/image/image.hpp>

#include "common/sized_source.hpp"
#include "common/video_source.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using rvm::examples::LatestSource;

namespace {

/// What the test has a camera do.
struct Script {
  std::mutex mutex;
  std::condition_variable changed;
  int allowed = 0;       // frames that it may give
  int given = 0;         // frames that it has been asked for and has given
  bool waiting = false;  // it has no more to give yet
  bool ends = false;
  bool fails = false;

  void allow(int count) {
    std::unique_lock lock(mutex);
    allowed += count;
    changed.notify_all();
    // All have been taken when it is asked for one more.
    changed.wait(lock, [&] { return given == allowed && waiting; });
  }
  void end(bool failing) {
    const std::lock_guard lock(mutex);
    ends = true;
    fails = failing;
    changed.notify_all();
  }
};

/// Frame i is grey of brightness i.
class ScriptedCamera final : public rvm::examples::FrameSource {
 public:
  explicit ScriptedCamera(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  std::optional<rvm::FrameView> next() override {
    std::unique_lock lock(script_->mutex);
    script_->waiting = script_->given == script_->allowed;
    script_->changed.notify_all();
    script_->changed.wait(lock, [&] { return script_->given < script_->allowed || script_->ends; });
    if (script_->given == script_->allowed && script_->fails) throw rvm::IoError("unplugged");
    if (script_->given == script_->allowed) return std::nullopt;
    script_->waiting = false;
    ++script_->given;
    for (std::uint8_t& value : image_.bytes()) value = static_cast<std::uint8_t>(script_->given);
    return image_.view();
  }
  std::optional<std::size_t> count() const override { return std::nullopt; }
  std::optional<double> fps() const override { return 25.0; }
  std::string warning() const override { return "a warning"; }

 private:
  std::shared_ptr<Script> script_;
  rvm::Image image_{16, 16};
};

int brightness(const std::optional<rvm::FrameView>& frame) {
  REQUIRE(frame);
  return frame->row(15)[47];
}

}  // namespace

TEST_CASE("the newest frame is given, and each once") {
  const auto script = std::make_shared<Script>();
  LatestSource source(std::make_unique<ScriptedCamera>(script));
  CHECK(source.fps() == 25.0);
  CHECK_FALSE(source.ready());
  script->allow(1);
  CHECK(source.ready());
  CHECK(brightness(source.next()) == 1);
  CHECK_FALSE(source.ready());
  script->allow(5);
  CHECK(brightness(source.next()) == 6);
  CHECK_FALSE(source.ready());
  std::thread later([&] { script->allow(1); });
  CHECK(brightness(source.next()) == 7);  // waits
  later.join();
  script->end(false);
  CHECK_FALSE(source.next());
  CHECK(source.ready());
  CHECK_FALSE(source.next());
  CHECK(source.warning() == "a warning");
}

TEST_CASE("what a camera throws comes after its last frame") {
  const auto script = std::make_shared<Script>();
  LatestSource source(std::make_unique<ScriptedCamera>(script));
  script->allow(2);
  script->end(true);
  CHECK(brightness(source.next()) == 2);
  CHECK_THROWS_WITH(source.next(), "unplugged");
  CHECK_FALSE(source.next());
}

TEST_CASE("a camera that gives nothing does not hold its user back") {
  const auto script = std::make_shared<Script>();
  const auto start = std::chrono::steady_clock::now();
  { const LatestSource source(std::make_unique<ScriptedCamera>(script)); }
  CHECK(std::chrono::steady_clock::now() - start < 900ms);
  script->end(false);
}

TEST_CASE("frames of a device are read as a video's") {
  // FFmpeg's drawing device, for want of a camera; it draws as fast as it is asked.
  std::unique_ptr<rvm::examples::FrameSource> device;
  try {
    device = rvm::examples::open_device("lavfi", "color=c=0x4060a0:size=64x48:rate=30");
  } catch (const rvm::IoError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("built without") || ContainsSubstring("no device lavfi"));
    return;
  }
  rvm::examples::SizedSource source(std::make_unique<LatestSource>(std::move(device)), "test", std::nullopt);
  CHECK(source.size() == rvm::examples::FrameSize{48, 64});
  for (int i = 0; i < 3; ++i) {
    const auto frame = source.next();
    REQUIRE(frame);
    CHECK(std::abs(frame->row(20)[3 * 30] - 0x40) < 4);
    CHECK(std::abs(frame->row(20)[3 * 30 + 1] - 0x60) < 4);
    CHECK(std::abs(frame->row(20)[3 * 30 + 2] - 0xa0) < 4);
  }
}

TEST_CASE("what is no camera is refused by name") {
  for (const char* path : {"/dev/null", "/dev/no-such-camera"}) {
    CHECK_THROWS_WITH(rvm::examples::open_camera(path), ContainsSubstring(path));
  }
  CHECK_THROWS_AS(rvm::examples::open_device("no-such-format", "x"), rvm::IoError);
}
