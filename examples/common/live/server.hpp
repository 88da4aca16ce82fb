#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <rvm/image/point.hpp>

#include "common/live/exchange.hpp"

namespace rvm::examples {

/// What the page's buttons and clicks do. The server calls these through Exchange::call, so in the thread that steps;
/// when they return, the moment published last shows what they have done. What they throw is shown in the page.
class LiveControls {
 public:
  virtual ~LiveControls() = default;

  virtual void pause() = 0;
  /// Goes on; from the video's first frame if it has ended.
  virtual void resume() = 0;
  /// The zero state, no points, and the video from its first frame.
  virtual void reset() = 0;
  /// Tracks what is at `point` of the frame of step `step`, which the user has clicked.
  virtual void track(const Point& point, std::uint64_t step) = 0;
  /// No points any more.
  virtual void forget_points() = 0;
  virtual std::vector<std::byte> save() = 0;
  virtual void restore(std::span<const std::byte> state) = 0;
};

struct PageServerOptions {
  std::string host = "127.0.0.1";    // an address or name of this machine
  int port = 0;                      // 0: any that is free
  std::size_t state_bytes = 0;       // how long a saved state is
  std::filesystem::path state_file;  // where the page's buttons save and restore; empty: in the browser
};

/// Serves the page and what it asks for, from construction to destruction, in threads of its own.
///
///   GET  /               the page
///   GET  /moment?after=N the newest moment whose serial is not N (see encode()); 204 if there is none within 2 seconds
///   GET  /state          the state, to be kept
///   POST /pause, /resume, /reset, /forget, /save
///   POST /track          {"x": 12.5, "y": 30, "step": 7}
///   POST /restore        the bytes of a state; or JSON, whatever it says: then from the state file
///
/// Browsers ask for every moment anew, so a slow one misses some and delays nobody. Answers that are not what was asked
/// for are {"error": "..."}. Whoever listens on loopback is asked by names of this machine only, and only the page
/// itself, or what is no browser, may POST.
class PageServer {
 public:
  /// Throws rvm::IoError if it cannot listen there.
  PageServer(Exchange& exchange, LiveControls& controls, const PageServerOptions& options);
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;
  /// Closes the exchange and all connections; takes a moment, whatever browsers do.
  ~PageServer();

  /// "http://127.0.0.1:8080/".
  const std::string& url() const noexcept { return url_; }
  int port() const noexcept { return port_; }
  /// False if it has broken down.
  bool running() const;

 private:
  class Http;
  std::string url_;
  int port_ = 0;
  std::unique_ptr<Http> http_;
};

}  // namespace rvm::examples
