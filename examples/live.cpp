// Shows in a web page what the model sees, while it sees it: each frame of a video or a camera beside the colours of
// its features. A click on the frame tracks that point; buttons reset, save and restore the state.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/core/error.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/point.hpp>

#include "common/latest_source.hpp"
#include "common/live/exchange.hpp"
#include "common/live/server.hpp"
#include "common/live/session.hpp"
#include "common/program.hpp"
#include "common/sized_source.hpp"
#include "common/video_source.hpp"

namespace {

using rvm::examples::Exchange;
using rvm::examples::LatestSource;
using rvm::examples::SizedSource;
using Clock = Exchange::Clock;

struct LiveOptions {
  rvm::examples::ModelOptions model;
  rvm::examples::PageServerOptions page;
  std::optional<double> fps;
  bool loop = false;
};

/// What is played: a file, again from its start as often as asked, or a camera, which has no start.
class Video {
 public:
  Video(std::filesystem::path path, const std::optional<rvm::examples::FrameSize>& size) : path_(std::move(path)) {
    std::error_code ignored;
    camera_ = std::filesystem::is_character_file(path_, ignored);
    open(size);
    size_ = source_->size();
    fps_ = source_->fps();
    notice_ = source_->notice();
  }

  /// From the first frame again; of a camera, opens it anew.
  void rewind() { open(size_); }
  /// Whether next() would return at once.
  bool ready() const { return latest_ == nullptr || latest_->ready(); }
  std::optional<rvm::FrameView> next() {
    if (source_ == nullptr) throw rvm::IoError(path_.string() + ": cannot be read any more");
    return source_->next();
  }

  bool is_camera() const { return camera_; }
  const rvm::examples::FrameSize& size() const { return size_; }
  std::optional<double> fps() const { return fps_; }
  std::string notice() const { return notice_; }
  std::string warning() const { return source_ == nullptr ? "" : source_->warning(); }
  std::string name() const { return path_.filename().string(); }

 private:
  void open(const std::optional<rvm::examples::FrameSize>& size) {
    if (!camera_) {
      source_ = std::make_unique<SizedSource>(path_, size);
      return;
    }
    latest_ = nullptr;
    source_ = nullptr;  // it cannot be opened twice
    auto latest = std::make_unique<LatestSource>(rvm::examples::open_camera(path_));
    latest_ = latest.get();
    source_ = std::make_unique<SizedSource>(std::move(latest), path_.string(), size);
  }

  std::filesystem::path path_;
  bool camera_ = false;
  std::unique_ptr<SizedSource> source_;
  const LatestSource* latest_ = nullptr;  // a camera's, in source_
  rvm::examples::FrameSize size_;
  std::optional<double> fps_;
  std::string notice_;
};

/// Frames per second over the last ones.
class Rate {
 public:
  void add(Clock::time_point time) {
    times_.push_back(time);
    if (times_.size() > 30) times_.pop_front();
  }
  void clear() { times_.clear(); }
  double value() const {
    if (times_.size() < 2) return 0;
    const std::chrono::duration<double> span = times_.back() - times_.front();
    return static_cast<double>(times_.size() - 1) / std::max(span.count(), 1e-9);
  }

 private:
  std::deque<Clock::time_point> times_;
};

/// Plays a video through a session, and does what the page's buttons say.
class Live final : public rvm::examples::LiveControls {
 public:
  Live(const CLI::App& app, const LiveOptions& options, Video& video, const rvm::examples::AnyModel& model,
       Exchange& exchange)
      : app_(app),
        options_(options),
        video_(video),
        session_(model, video.size(), options.model.threads),
        exchange_(exchange) {
    publish();
  }

  /// Until the user stops the program. Throws rvm::Error if `server` breaks down.
  void run(const rvm::examples::PageServer& server) {
    const double fps = options_.fps.value_or(video_.is_camera() ? 0 : video_.fps().value_or(0));
    const std::chrono::duration<double> period(fps > 0 ? 1 / fps : 0);
    const auto tick = std::chrono::milliseconds(video_.is_camera() ? 2 : 50);
    Clock::time_point due = Clock::now();
    while (!rvm::examples::interrupted()) {
      if (!server.running()) throw rvm::Error("the page cannot be served any more");
      const Clock::time_point wake = Clock::now() + tick;
      exchange_.serve(status_ == Status::kPlaying ? std::min(wake, due) : wake);
      if (status_ != Status::kPlaying || Clock::now() < due || !video_.ready()) continue;
      advance();
      due = std::max(due + std::chrono::duration_cast<Clock::duration>(period), Clock::now());
    }
  }

  void pause() override {
    if (status_ == Status::kPlaying) status_ = Status::kPaused;
    rate_.clear();
    publish();
  }
  void resume() override {
    if (status_ == Status::kEnded) start_over();
    status_ = Status::kPlaying;
    publish();
  }
  void reset() override {
    start_over();
    session_.reset();
    if (status_ == Status::kEnded) status_ = Status::kPlaying;
    publish();
  }
  void track(const rvm::Point& point, std::uint64_t step) override {
    session_.track(point, step);
    publish();
  }
  void forget_points() override {
    session_.forget_points();
    publish();
  }
  std::vector<std::byte> save() override { return session_.save(); }
  void restore(std::span<const std::byte> state) override {
    session_.restore(state);
    publish();
  }

 private:
  enum class Status { kPlaying, kPaused, kEnded };

  void advance() {
    try {
      std::optional<rvm::FrameView> frame = video_.next();
      if (!frame && options_.loop) {
        video_.rewind();
        frame = video_.next();
      }
      if (!frame) return end(video_.warning());
      session_.step(*frame);
    } catch (const rvm::Error& error) {
      return end(error.what());
    }
    rate_.add(Clock::now());
    publish();
  }

  void start_over() {
    if (!video_.is_camera() || status_ == Status::kEnded) video_.rewind();
    notice_.clear();
    rate_.clear();
  }

  void end(const std::string& notice) {
    rvm::examples::say(app_, notice);
    status_ = Status::kEnded;
    notice_ = notice;
    publish();
  }

  void publish() {
    rvm::examples::Moment moment = session_.moment();
    moment.rate = rate_.value();
    moment.status = status_ == Status::kPlaying ? "playing" : status_ == Status::kPaused ? "paused" : "ended";
    moment.notice = notice_;
    moment.source = video_.name();
    moment.state_file = options_.page.state_file.string();
    exchange_.publish(std::move(moment));
  }

  const CLI::App& app_;
  const LiveOptions& options_;
  Video& video_;
  rvm::examples::LiveSession session_;
  Exchange& exchange_;
  Rate rate_;
  Status status_ = Status::kPlaying;
  std::string notice_;
};

void live(const CLI::App& app, LiveOptions options, Video& video, const rvm::examples::AnyModel& model) {
  Exchange exchange;
  Live player(app, options, video, model, exchange);
  options.page.state_bytes = player.save().size();
  const rvm::examples::PageServer server(exchange, player, options.page);
  std::printf("%s\n", server.url().c_str());
  std::fflush(stdout);
  player.run(server);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows in a web page what the model sees of a video or a camera, while it sees it.", "live");
  LiveOptions options;
  add_model_options(app, options.model);
  app.get_option("--input")->description(
      "A video, a camera (/dev/video0), a directory of images, one image, or a uint8 .npy [T, H, W, 3]");
  app.add_flag("--loop", options.loop, "Play a file again when it ends; the state goes on");
  app.add_option("--fps", options.fps,
                 "At most so many frames per second; 0 for as many as can be computed (default: the file's own)")
      ->type_name("N")
      ->check(CLI::Range(0.0, 1000.0));
  app.add_option("--host", options.page.host, "Where to serve: an address of this machine, 0.0.0.0 for all of them")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--port", options.page.port, "On which port; 0 for any that is free")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  app.add_option("--state", options.page.state_file,
                 "Where the page's buttons save and restore the state (default: in the browser's downloads)")
      ->type_name("FILE");
  app.footer(
      "Prints the page's address; ends with Ctrl-C.\n\nExamples:\n"
      "  live --weights rvm_small.npz --input video.mp4 --loop\n"
      "  live --weights rvm_small.npz --input /dev/video0 --size 256x256 --port 8080");
  return rvm::examples::run_program(app, argc, argv, [&] {
    Video video(options.model.input, options.model.size);
    rvm::examples::say(app, video.notice());
    const rvm::examples::AnyModel chosen = rvm::examples::load_model(options.model);
    rvm::examples::say(app, rvm::examples::notice(chosen));
    live(app, options, video, chosen);
  });
}
