#include "common/live/server.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/live/httplib.hpp"
#include "common/live/page.hpp"
#include "support/catch.hpp"
#include "support/live.hpp"
#include "support/temp_dir.hpp"

using namespace std::chrono_literals;
using namespace rvm::examples;

namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kBytes = "application/octet-stream";

/// Writes down what it is told.
class Recorder final : public LiveControls {
 public:
  explicit Recorder(Exchange& exchange) : exchange_(exchange) { publish(); }

  void pause() override { note("pause"); }
  void resume() override { note("resume"); }
  void reset() override { note("reset"); }
  void track(const rvm::Point& point, std::uint64_t step) override {
    if (point.x > 1000) throw rvm::ArgumentError("outside");
    note("track " + std::to_string(point.x) + " " + std::to_string(point.y) + " " + std::to_string(step));
  }
  void forget_points() override { note("forget"); }
  std::vector<std::byte> save() override { return state; }
  void restore(std::span<const std::byte> bytes) override {
    if (bytes.size() != state.size()) throw rvm::StateError("not a state");
    state.assign(bytes.begin(), bytes.end());
    note("restore");
  }

  std::vector<std::string> notes;
  std::vector<std::byte> state = test::bytes_of(std::string("state\0of bytes", 14));

 private:
  void note(std::string what) {
    notes.push_back(std::move(what));
    publish();
  }
  void publish() {
    Moment moment;
    moment.step = notes.size();
    exchange_.publish(std::move(moment));
  }

  Exchange& exchange_;
};

/// A server, and the thread that its calls run in.
struct Site {
  explicit Site(PageServerOptions options = {}) : recorder(exchange) {
    options.state_bytes = recorder.state.size();
    server.emplace(exchange, recorder, options);
    stepping = std::thread([this] {
      while (!done) exchange.serve(Exchange::Clock::now() + 2ms);
    });
  }
  ~Site() {
    server.reset();
    done = true;
    stepping.join();
  }

  httplib::Client client() const { return httplib::Client("127.0.0.1", server->port()); }
  httplib::Result post(const std::string& path, const std::string& body = "", const std::string& type = kJson,
                       const httplib::Headers& headers = {}) const {
    return client().Post(path, headers, body, type);
  }
  std::vector<std::string> notes() {
    return exchange.call([this] { return recorder.notes; });
  }

  Exchange exchange;
  Recorder recorder;
  std::optional<PageServer> server;
  std::atomic<bool> done = false;
  std::thread stepping;
};

/// A connection whose other end is no browser.
class RawConnection {
 public:
  explicit RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  RawConnection(RawConnection&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  ~RawConnection() {
    if (socket_ >= 0) ::close(socket_);
  }

  void send(const std::string& text) const { ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
  /// All that comes until the other side ends.
  std::string rest() const {
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;)
      text.append(buffer, static_cast<std::size_t>(n));
    return text;
  }

 private:
  int socket_;
};

std::string error_of(const httplib::Result& result) {
  REQUIRE(result);
  CHECK(result->get_header_value("Content-Type") == kJson);
  return nlohmann::json::parse(result->body).at("error");
}

}  // namespace

TEST_CASE("the page is served, and nothing else that is not its own") {
  const Site site;
  CHECK(site.server->url() == "http://127.0.0.1:" + std::to_string(site.server->port()) + "/");
  const auto result = site.client().Get("/");
  REQUIRE(result);
  CHECK(result->status == 200);
  CHECK(result->body == page());
  CHECK(result->get_header_value("Content-Type") == "text/html; charset=utf-8");
  CHECK_THAT(result->get_header_value("Content-Security-Policy"), ContainsSubstring("default-src 'none'"));
  CHECK(result->get_header_value("X-Content-Type-Options") == "nosniff");
  for (const char* path : {"/index.html", "/../server.cpp", "/..%2f..%2fetc/passwd", "//etc/passwd", "/%00",
                           "/state/..", "/pause", "/track"}) {
    CAPTURE(path);
    const auto other = site.client().Get(path);
    REQUIRE(other);
    CHECK(other->status == 404);
    CHECK(error_of(other) == "there is nothing of this name");
  }
  CHECK(site.post("/nothing")->status == 404);
  for (const char* method : {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "NONSENSE"}) {
    CAPTURE(method);
    const RawConnection connection(site.server->port());
    connection.send(std::string(method) + " /reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    CHECK_THAT(connection.rest(), ContainsSubstring("HTTP/1.1 4"));
  }
}

TEST_CASE("the page needs nothing from elsewhere") {
  const std::string text(page());
  // But for the names of XML's formats, which are no addresses to load from.
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 1)) {
    CHECK(text.substr(at, 14) == "://www.w3.org/");
  }
}

TEST_CASE("moments are had one after the other") {
  Site site;
  const auto first = site.client().Get("/moment?after=0");
  REQUIRE(first);
  CHECK(first->status == 200);
  const test::DecodedMoment moment(first->body);
  CHECK(moment.json["serial"] == 1);
  // Nothing new: an empty answer, after a while.
  CHECK(site.client().Get("/moment?after=1")->status == 204);
  std::thread later([&] { site.post("/pause"); });
  const auto next = site.client().Get("/moment?after=1");
  later.join();
  REQUIRE(next);
  CHECK(next->status == 200);
  CHECK(test::DecodedMoment(next->body).json["serial"] == 2);
  for (const char* query : {"", "?after=", "?after=x", "?after=-5", "?after=99999999999999999999999"}) {
    CHECK(site.client().Get(std::string("/moment") + query)->status == 200);
  }
}

TEST_CASE("buttons and clicks arrive") {
  Site site;
  for (const char* path : {"/pause", "/resume", "/reset", "/forget"}) {
    const auto result = site.post(path);
    REQUIRE(result);
    CHECK(result->status == 200);
    CHECK_FALSE(nlohmann::json::parse(result->body).at("message").get<std::string>().empty());
  }
  CHECK(site.post("/track", R"({"x": 1.5, "y": 2, "step": 7})")->status == 200);
  CHECK(site.post("/track", R"({"x": 0, "y": 0, "step": 0})", "application/json; charset=utf-8")->status == 200);
  CHECK(site.notes() == std::vector<std::string>{"pause", "resume", "reset", "forget", "track 1.500000 2.000000 7",
                                                 "track 0.000000 0.000000 0"});
}

TEST_CASE("malformed clicks are refused with a reason") {
  Site site;
  const std::string deep = "{\"x\": " + std::string(4000, '[');
  for (const std::string body :
       {"", "{", "[]", "null", "7", "\"x\"", R"({"x": 1, "y": 2})", R"({"x": "1", "y": 2, "step": 3})",
        R"({"x": null, "y": 2, "step": 3})", R"({"x": 1, "y": 2, "step": -3})", R"({"x": 1, "y": 2, "step": 3.5})",
        R"({"x": 1e999, "y": 2, "step": 3})", R"({"x": NaN, "y": 2, "step": 3})", "{\"x\": 1, \"y\": 2, \"step\": 3} x",
        "\xff\xfe", deep.c_str()}) {
    CAPTURE(body);
    const auto result = site.post("/track", body);
    REQUIRE(result);
    CHECK(result->status == 400);
    CHECK_THAT(error_of(result), ContainsSubstring("expected {\"x\": number"));
  }
  const auto outside = site.post("/track", R"({"x": 1e300, "y": 2, "step": 3})");
  CHECK(outside->status == 400);
  CHECK(error_of(outside) == "outside");
  const auto nested = site.post("/track", std::string(4000, '['));
  CHECK(nested->status == 400);
  const auto large = site.post("/track", R"({"x": 1, "y": 2, "step": 3, "more": ")" + std::string(5000, 'x') + "\"}");
  CHECK(large->status == 413);
  CHECK(error_of(large) == "expected at most 4096 bytes");
  CHECK(site.notes().empty());
}

TEST_CASE("states go to the browser and come back") {
  Site site;
  const auto saved = site.client().Get("/state");
  REQUIRE(saved);
  CHECK(saved->status == 200);
  CHECK(saved->body == std::string("state\0of bytes", 14));
  CHECK_THAT(saved->get_header_value("Content-Disposition"), ContainsSubstring("attachment"));
  CHECK(site.post("/restore", std::string("STATE\0OF BYTES", 14), kBytes)->status == 200);
  CHECK(site.client().Get("/state")->body == std::string("STATE\0OF BYTES", 14));
  for (const std::size_t size : {std::size_t{0}, std::size_t{15}, std::size_t{60000}}) {
    const auto bad = site.post("/restore", std::string(size, 'x'), kBytes);
    CHECK(bad->status == 400);
    CHECK(error_of(bad) == "not a state");
  }
  const auto huge = site.post("/restore", std::string(1 << 20, 'x'), kBytes);
  CHECK(huge->status == 413);
  CHECK_THAT(error_of(huge), ContainsSubstring("too long"));
  for (const char* path : {"/save", "/restore"}) {
    const auto none = site.post(path);
    CHECK(none->status == 400);
    CHECK_THAT(error_of(none), ContainsSubstring("without a state file"));
  }
}

TEST_CASE("states go to a file and come back") {
  const test::TempDir dir;
  PageServerOptions options;
  options.state_file = dir / "kept";
  Site site(options);
  const auto missing = site.post("/restore");
  CHECK(missing->status == 500);
  CHECK_THAT(error_of(missing), ContainsSubstring("kept: cannot be read: No such file"));
  const auto saved = site.post("/save");
  CHECK(saved->status == 200);
  CHECK_THAT(saved->body, ContainsSubstring("kept"));
  CHECK(test::read_file(dir / "kept") == site.recorder.state);
  test::write_file(dir / "kept", test::bytes_of(std::string("STATE\0OF BYTES", 14)));
  CHECK(site.post("/restore")->status == 200);
  CHECK(site.client().Get("/state")->body == std::string("STATE\0OF BYTES", 14));
  test::write_file(dir / "kept", std::vector<std::byte>(1 << 20));
  CHECK(error_of(site.post("/restore")) == "not a state");
  std::filesystem::remove(dir / "kept");
  std::filesystem::create_directory(dir / "kept");
  CHECK(site.post("/save")->status == 500);
  CHECK(site.post("/restore")->status == 500);
}

TEST_CASE("other sites can change nothing") {
  Site site;
  const std::string own = "http://127.0.0.1:" + std::to_string(site.server->port());
  const auto refuses = [&](const httplib::Headers& headers) {
    const auto result = site.post("/reset", "", kJson, headers);
    REQUIRE(result);
    CHECK(result->status == 403);
    CHECK(error_of(result) == "only the page itself may change something");
  };
  refuses({{"Origin", "http://example.org"}});
  refuses({{"Origin", "null"}});
  refuses({{"Sec-Fetch-Site", "cross-site"}});
  refuses({{"Origin", own}, {"Sec-Fetch-Site", "same-site"}});
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {
    CHECK(site.post("/reset", "", type)->status == 415);
  }
  // A name that has been made to point here.
  for (const char* host : {"example.org", "example.org:80", "127.0.0.1.example.org"}) {
    for (const char* request :
         {"GET / HTTP/1.1\r\nHost: ", "GET /state HTTP/1.1\r\nHost: ",
          "POST /reset HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0\r\nHost: "}) {
      const RawConnection connection(site.server->port());
      connection.send(std::string(request) + host + "\r\n\r\n");
      CHECK_THAT(connection.rest(), ContainsSubstring("HTTP/1.1 403"));
    }
  }
  const RawConnection nameless(site.server->port());
  nameless.send("GET / HTTP/1.1\r\n\r\n");
  CHECK_THAT(nameless.rest(), ContainsSubstring("HTTP/1.1 403"));
  CHECK(site.notes().empty());
  CHECK(site.post("/reset", "", kJson, {{"Origin", own}, {"Sec-Fetch-Site", "same-origin"}})->status == 200);
}

TEST_CASE("a refused body is not taken for a request") {
  Site site;
  const std::string inner =
      "POST /reset HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 0\r\n\r\n";
  const RawConnection connection(site.server->port());
  connection.send(
      "POST /pause HTTP/1.1\r\nHost: localhost\r\nOrigin: http://example.org\r\nContent-Type: text/plain\r\n"
      "Content-Length: " +
      std::to_string(inner.size()) + "\r\n\r\n" + inner);
  const std::string answer = connection.rest();
  CHECK_THAT(answer, ContainsSubstring("HTTP/1.1 403"));
  CHECK(answer.find("HTTP/1.1", 10) == std::string::npos);
  CHECK(site.notes().empty());
}

TEST_CASE("bodies without a bound are refused") {
  const Site site;
  const auto refuses = [&](const std::string& headers, const std::string& status) {
    const RawConnection connection(site.server->port());
    connection.send("POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n" +
                    headers + "\r\n\r\n");
    CHECK_THAT(connection.rest(), ContainsSubstring("HTTP/1.1 " + status));
  };
  refuses("Transfer-Encoding: chunked", "411");
  refuses("Content-Length: 5\r\nTransfer-Encoding: chunked", "415");
  refuses("Content-Length: 5\r\nContent-Encoding: gzip", "415");
  // Nor are they read where no body belongs.
  for (const char* request : {"PUT /x", "PATCH /restore", "DELETE /state", "PRI *"}) {
    CAPTURE(request);
    const RawConnection connection(site.server->port());
    connection.send(std::string(request) + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK_THAT(connection.rest(), ContainsSubstring("HTTP/1.1 405"));
  }
  const RawConnection parts(site.server->port());
  parts.send("GET /state HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-,0-,0-,0-\r\n\r\n");
  CHECK_THAT(parts.rest(), ContainsSubstring("HTTP/1.1 415"));
}

TEST_CASE("garbage is answered or dropped, and the next one served") {
  const Site site;
  for (const std::string& text : {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string(100, '\0'),
                                  std::string("GET / HTTP/9.9\r\n\r\n"), "GET /" + std::string(100000, 'x'),
                                  "GET / HTTP/1.1\r\nX: " + std::string(100000, 'x') + "\r\n\r\n"}) {
    RawConnection(site.server->port()).send(text);
  }
  CHECK(site.client().Get("/")->status == 200);
}

TEST_CASE("many browsers are served at once, and some vanish") {
  Site site;
  std::vector<std::thread> browsers;
  std::atomic<int> ends = 0;
  for (int i = 0; i < 12; ++i) {
    browsers.emplace_back([&] {
      std::uint64_t serial = 0;
      for (int k = 0; k < 20; ++k) {
        const auto result = site.client().Get("/moment?after=" + std::to_string(serial));
        if (!result || result->status != 200) continue;
        const std::uint64_t seen = test::DecodedMoment(result->body).json["serial"];
        if (seen <= serial) return;  // never an older one
        serial = seen;
      }
      ++ends;
    });
  }
  for (int i = 0; i < 12; ++i)
    RawConnection(site.server->port()).send("GET /moment?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::atomic<bool> done = false;
  std::thread changes([&] {
    while (!done) {
      site.post("/pause");
      std::this_thread::sleep_for(1ms);
    }
  });
  for (std::thread& browser : browsers) browser.join();
  done = true;
  changes.join();
  CHECK(ends == 12);
}

TEST_CASE("the server ends at once, whatever its clients do") {
  auto site = std::make_unique<Site>();
  const int port = site->server->port();
  std::vector<RawConnection> connections;
  for (const char* text : {"", "GET /mo", "GET /moment?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                           "POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                           "Content-Length: 100\r\n\r\nx"}) {
    for (int i = 0; i < 20; ++i) {
      connections.emplace_back(port);
      connections.back().send(text);
    }
  }
  REQUIRE(connections.size() == 80);  // more than there are threads
  const auto start = std::chrono::steady_clock::now();
  site.reset();
  CHECK(std::chrono::steady_clock::now() - start < 900ms);
  CHECK_THROWS(RawConnection(port));
}

TEST_CASE("where it cannot listen, it says so") {
  const Site site;
  Exchange exchange;
  Recorder recorder(exchange);
  const auto listen = [&](const std::string& host, int port) {
    PageServerOptions options;
    options.host = host;
    options.port = port;
    const PageServer server(exchange, recorder, options);
    return server.url();
  };
  CHECK_THROWS_WITH(listen("127.0.0.1", site.server->port()),
                    ContainsSubstring(std::to_string(site.server->port())) && ContainsSubstring("in use"));
  CHECK_THROWS_WITH(listen("192.0.2.1", 0), ContainsSubstring("192.0.2.1"));
  CHECK_THROWS_WITH(listen("no.such.host.invalid", 0), ContainsSubstring("no.such.host.invalid"));
  CHECK_THAT(listen("0.0.0.0", 0), ContainsSubstring("http://localhost:"));
}

TEST_CASE("loopback by another name is loopback") {
  for (const char* host : {"127.1", "127.0.0.2", "localhost"}) {
    PageServerOptions options;
    options.host = host;
    const Site site(options);
    CAPTURE(host);
    httplib::Client client(host, site.server->port());
    const auto refused = client.Get("/state", {{"Host", "example.org"}});
    REQUIRE(refused);
    CHECK(refused->status == 403);
    // What it calls itself is answered.
    const std::string& url = site.server->url();
    const auto answered = client.Get("/state", {{"Host", url.substr(7, url.size() - 8)}});
    REQUIRE(answered);
    CHECK(answered->status == 200);
    CHECK(httplib::Client(url.substr(0, url.size() - 1)).Get("/state")->status == 200);
  }
}

TEST_CASE("to other machines it answers by any name, if it is told to listen to them") {
  PageServerOptions options;
  options.host = "0.0.0.0";
  const Site site(options);
  const RawConnection connection(site.server->port());
  connection.send("GET / HTTP/1.1\r\nHost: my.machine\r\n\r\n");
  CHECK_THAT(connection.rest(), ContainsSubstring("HTTP/1.1 200"));
  const RawConnection other(site.server->port());
  other.send(
      "POST /reset HTTP/1.1\r\nHost: my.machine\r\nOrigin: http://example.org\r\nContent-Type: application/json\r\n"
      "Content-Length: 0\r\n\r\n");
  CHECK_THAT(other.rest(), ContainsSubstring("HTTP/1.1 403"));
}
