#include "common/live/server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <future>
#include <string_view>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/error.hpp>

#include "common/json.hpp"
#include "common/live/click.hpp"
#include "common/live/httplib.hpp"
#include "common/live/origin.hpp"
#include "common/live/page.hpp"

namespace rvm::examples {
namespace {

using nlohmann::json;
using Handled = httplib::Server::HandlerResponse;

constexpr std::chrono::seconds kPatience{2};
constexpr std::size_t kThreads = 64;           // requests answered at the same time; more wait for their turn
constexpr std::size_t kMostJson = 4096;        // bytes
constexpr std::size_t kSpareBytes = 64 << 10;  // beyond a state, so that what is a little too long is told so in full
constexpr const char* kJson = "application/json";
constexpr const char* kBytes = "application/octet-stream";

/// An answer other than 200: its status, and why.
class HttpError : public Error {
 public:
  HttpError(int status, const std::string& reason) : Error(reason), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

void answer(httplib::Response& response, int status, const char* key, const std::string& text) {
  response.status = status;
  response.set_content(as_text({{key, text}}), kJson);
}

/// Calls `function`; what it throws becomes the answer.
template <class Function>
void guarded(httplib::Response& response, Function function) {
  try {
    function();
  } catch (const HttpError& error) {
    answer(response, error.status(), "error", error.what());
  } catch (const BusyError& error) {
    answer(response, 503, "error", error.what());
  } catch (const IoError& error) {
    answer(response, 500, "error", error.what());
  } catch (const Error& error) {
    answer(response, 400, "error", error.what());
  } catch (const std::bad_alloc&) {
    answer(response, 500, "error", "out of memory");
  } catch (const std::exception& error) {
    answer(response, 500, "error", error.what());
  }
}

bool is_json(const httplib::Request& request) {
  return request.get_header_value("Content-Type").substr(0, std::strlen(kJson)) == kJson;
}

/// Throws HttpError if this request must not be answered. Nothing of its body has been read yet.
void check(const httplib::Request& request, bool loopback) {
  const std::string host = request.get_header_value("Host");
  if (loopback && !names_loopback(host)) throw HttpError(403, "this page is for this machine only, not for " + host);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads && request.method != "POST") throw HttpError(405, "expected GET or POST");
  // A length is the only bound that is kept before a body has been read; and a part, or many of them, is nothing that
  // the page asks for.
  if (!reads && !request.has_header("Content-Length")) throw HttpError(411, "expected a Content-Length");
  for (const char* header : {"Transfer-Encoding", "Content-Encoding", "Range"}) {
    if (request.has_header(header)) throw HttpError(415, "expected a plain request, without " + std::string(header));
  }
  if (reads) return;
  if (!same_origin(host, request.get_header_value("Origin"), request.get_header_value("Sec-Fetch-Site"))) {
    throw HttpError(403, "only the page itself may change something");
  }
  // Other sites can send none of these types without being asked for leave first, which they are never given.
  if (!is_json(request) && request.get_header_value("Content-Type") != kBytes) {
    throw HttpError(415, "expected application/json or application/octet-stream");
  }
  const bool small = request.path != "/restore";
  if (small && std::strtoull(request.get_header_value("Content-Length").c_str(), nullptr, 10) > kMostJson) {
    throw HttpError(413, "expected at most " + std::to_string(kMostJson) + " bytes");
  }
}

/// The bytes of a file, but not more than `most`. Throws rvm::IoError.
std::vector<std::byte> read_file(const std::filesystem::path& path, std::size_t most) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::vector<std::byte> bytes(most);
  if (file) file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(most));
  if (file.bad() || (file.fail() && !file.eof())) {
    throw IoError(path.string() + ": cannot be read: " + std::strerror(errno));
  }
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

std::string as_url(const std::string& host, int port) {
  const bool everywhere = host == "0.0.0.0" || host == "::";
  const std::string name = everywhere ? "localhost" : host.find(':') == std::string::npos ? host : "[" + host + "]";
  return "http://" + name + ":" + std::to_string(port) + "/";
}

class Server : public httplib::Server {
 public:
  /// Lets as many clients wait to be accepted as are answered; httplib lets 5, and makes the others try again a second
  /// later.
  void lengthen_queue() { ::listen(svr_sock_, static_cast<int>(kThreads)); }
  /// The address that it listens on, whatever name it was told; empty if that is unknown.
  std::string address() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(svr_sock_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* const number = address.ss_family == AF_INET
                                   ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
                                   : &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    const char* const found = ::inet_ntop(address.ss_family, number, text.data(), text.size());
    return found == nullptr ? std::string() : found;
  }
};

/// Ends the connections to `port` that are open still: httplib waits for them when it stops, and some clients never
/// end theirs.
void cut_connections(int port) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    in_port_t found = 0;
    if (address.ss_family == AF_INET) found = reinterpret_cast<const sockaddr_in&>(address).sin_port;
    if (address.ss_family == AF_INET6) found = reinterpret_cast<const sockaddr_in6&>(address).sin6_port;
    if (ntohs(found) == port) ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace

class PageServer::Http {
 public:
  Http(Exchange& exchange, LiveControls& controls, const PageServerOptions& options)
      : exchange_(exchange), controls_(controls), options_(options) {
    set_up();
    add_reads();
    add_changes();
  }

  /// Begins to answer; returns the port.
  int start() {
    errno = 0;
    int port = options_.port;
    const bool bound =
        port == 0 ? (port = server_.bind_to_any_port(options_.host)) > 0 : server_.bind_to_port(options_.host, port);
    if (!bound) {
      throw IoError("cannot serve on " + options_.host + ":" + std::to_string(options_.port) + ": " +
                    (errno != 0 ? std::strerror(errno) : "no such address of this machine"));
    }
    port_ = port;
    const std::string address = server_.address();
    loopback_ = is_loopback(address);
    // Who asks by a name that means this machine here, and perhaps another one elsewhere, is refused.
    if (loopback_ && !is_loopback(options_.host)) options_.host = address;
    server_.lengthen_queue();
    ended_ = std::async(std::launch::async, [this] { server_.listen_after_bind(); });
    while (running() && !server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return port;
  }

  void stop() {
    exchange_.close();
    if (running()) server_.stop();
    while (running(std::chrono::milliseconds(10))) cut_connections(port_);
  }

  std::string url() const { return as_url(options_.host, port_); }

  bool running(std::chrono::milliseconds patience = {}) const {
    return ended_.wait_for(patience) != std::future_status::ready;
  }

 private:
  void set_up() {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    // One request a connection: what is left of a refused body is never taken for a request, and whoever is idle holds
    // no thread.
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(2);
    server_.set_payload_max_length(options_.state_bytes + kSpareBytes);
    server_.set_tcp_nodelay(true);
    // httplib's own would let two programs share a port.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_default_headers({
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src "
         "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
    });
    server_.set_pre_routing_handler([this](const auto& request, auto& response) {
      guarded(response, [&] { check(request, loopback_); });
      return response.status >= 400 ? Handled::Handled : Handled::Unhandled;
    });
    server_.set_error_handler([](const auto& /*request*/, auto& response) {
      if (!response.body.empty()) return;
      const int status = response.status;
      answer(response, status, "error",
             status == 404   ? "there is nothing of this name"
             : status == 413 ? "this is far too long for a state"
                             : "this request cannot be answered");
    });
  }

  void add_reads() {
    server_.Get("/", [](const auto& /*request*/, auto& response) {
      response.set_content(page().data(), page().size(), "text/html; charset=utf-8");
    });
    server_.Get("/moment", [this](const auto& request, auto& response) {
      const std::uint64_t seen = std::strtoull(request.get_param_value("after").c_str(), nullptr, 10);
      const auto newest = exchange_.newer_than(seen, kPatience);
      if (newest == nullptr) {
        response.status = 204;
        return;
      }
      guarded(response, [&] { response.set_content(newest->encoded(), kBytes); });
    });
    server_.Get("/state", [this](const auto& /*request*/, auto& response) {
      guarded(response, [&] {
        const std::vector<std::byte> bytes = save();
        response.set_content(reinterpret_cast<const char*>(bytes.data()), bytes.size(), kBytes);
        response.set_header("Content-Disposition", "attachment; filename=\"rvm.state\"");
      });
    });
  }

  void add_changes() {
    on("/pause", [this](const auto&) { return run(&LiveControls::pause, "Paused"); });
    on("/resume", [this](const auto&) { return run(&LiveControls::resume, "Playing"); });
    on("/reset", [this](const auto&) { return run(&LiveControls::reset, "Reset: the state is zero"); });
    on("/forget", [this](const auto&) { return run(&LiveControls::forget_points, "No points any more"); });
    on("/track", [this](const auto& request) {
      const auto [point, step] = parse_click(request.body);
      exchange_.call([this, at = point, s = step] { controls_.track(at, s); });
      return std::string("Tracking one more point");
    });
    on("/save", [this](const auto&) {
      AtomicFile file(state_file());
      file.write(save());
      file.commit();
      return "Saved to " + state_file().string();
    });
    on("/restore", [this](const auto& request) {
      const bool sent = !is_json(request);
      std::vector<std::byte> bytes;
      if (sent) {
        const auto body = std::as_bytes(std::span(request.body));
        bytes.assign(body.begin(), body.end());
      } else {
        bytes = read_file(state_file(), options_.state_bytes + kSpareBytes);
      }
      exchange_.call([&] { controls_.restore(bytes); });
      return "Restored" + (sent ? std::string() : " from " + state_file().string());
    });
  }

  /// A POST to `path` is answered with the line that `function` returns.
  template <class Function>
  void on(const char* path, Function function) {
    server_.Post(path, [function](const httplib::Request& request, httplib::Response& response) {
      guarded(response, [&] { answer(response, 200, "message", function(request)); });
    });
  }

  std::string run(void (LiveControls::*action)(), const char* done) {
    exchange_.call([this, action] { (controls_.*action)(); });
    return done;
  }

  std::vector<std::byte> save() {
    return exchange_.call([this] { return controls_.save(); });
  }

  const std::filesystem::path& state_file() const {
    if (options_.state_file.empty()) throw HttpError(400, "this program was started without a state file");
    return options_.state_file;
  }

  Exchange& exchange_;
  LiveControls& controls_;
  PageServerOptions options_;
  Server server_;
  int port_ = 0;
  bool loopback_ = true;
  std::future<void> ended_;
};

PageServer::PageServer(Exchange& exchange, LiveControls& controls, const PageServerOptions& options)
    : http_(std::make_unique<Http>(exchange, controls, options)) {
  port_ = http_->start();
  url_ = http_->url();
}

PageServer::~PageServer() {
  http_->stop();
}

bool PageServer::running() const {
  return http_->running();
}

}  // namespace rvm::examples
