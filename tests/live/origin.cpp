#include "common/live/origin.hpp"

#include <string>

#include "support/catch.hpp"

using namespace rvm::examples;

TEST_CASE("loopback is told from other hosts") {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "LocalHost", "::1"}) CHECK(is_loopback(host));
  for (const char* host : {"", "0.0.0.0", "::", "192.168.1.2", "example.org", "127.0.0.1.example.org", "128.0.0.1"}) {
    CHECK_FALSE(is_loopback(host));
  }
}

TEST_CASE("a Host header names this machine or another") {
  for (const char* host : {"127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST:65535", "[::1]", "[::1]:8080"}) {
    CAPTURE(host);
    CHECK(names_loopback(host));
  }
  for (const char* host : {"", ":8080", "example.org", "example.org:8080", "127.0.0.1.example.org",
                           "localhost.example.org:80", "localhost:80x", "localhost:80:80", "127.0.0.1@example.org",
                           "[::1", "[::1]x", "[::2]:80", "0.0.0.0:80", "192.168.1.2:80"}) {
    CAPTURE(host);
    CHECK_FALSE(names_loopback(host));
  }
}

TEST_CASE("changes come from the page itself, or from what is no browser") {
  const std::string host = "127.0.0.1:8080";
  CHECK(same_origin(host, "", ""));
  CHECK(same_origin(host, "http://127.0.0.1:8080", ""));
  CHECK(same_origin(host, "http://127.0.0.1:8080", "same-origin"));
  CHECK(same_origin("LocalHost:8080", "http://localhost:8080", ""));
  for (const char* origin : {"null", "http://example.org", "https://127.0.0.1:8080", "http://127.0.0.1:8081",
                             "http://127.0.0.1", "http://localhost:8080", "http://127.0.0.1:8080.example.org"}) {
    CAPTURE(origin);
    CHECK_FALSE(same_origin(host, origin, ""));
    CHECK_FALSE(same_origin(host, origin, "same-origin"));
  }
  for (const char* site : {"cross-site", "same-site", "none", "nonsense"}) {
    CAPTURE(site);
    CHECK_FALSE(same_origin(host, "", site));
    CHECK_FALSE(same_origin(host, "http://127.0.0.1:8080", site));
  }
}
