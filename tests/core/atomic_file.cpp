#include <rvm/core/atomic_file.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#if __has_include(<sys/resource.h>)
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"

TEST_CASE("an atomic file appears complete, or not at all") {
  const test::TempDir dir;
  SECTION("committed") {
    rvm::AtomicFile file(dir / "file");
    CHECK(file.path() == dir / "file");
    file.write(test::bytes_of("abc"));
    file.write(test::bytes_of("def"));
    file.write({});
    CHECK(file.position() == 6);
    file.write_at(1, test::bytes_of("XY"));
    file.write(test::bytes_of("g"));
    CHECK(file.position() == 7);
    CHECK_FALSE(std::filesystem::exists(dir / "file"));
    file.commit();
    CHECK(test::read_file(dir / "file") == test::bytes_of("aXYdefg"));
    REQUIRE_THROWS_AS(file.write(test::bytes_of("more")), rvm::ArgumentError);
    REQUIRE_THROWS_AS(file.commit(), rvm::ArgumentError);
  }
  SECTION("replacing") {
    test::write_file(dir / "file", test::bytes_of("old"));
    {
      rvm::AtomicFile abandoned(dir / "file");
      abandoned.write(test::bytes_of("new"));
    }
    CHECK(test::read_file(dir / "file") == test::bytes_of("old"));
    rvm::AtomicFile file(dir / "file");
    file.write(test::bytes_of("new"));
    file.commit();
    CHECK(test::read_file(dir / "file") == test::bytes_of("new"));
  }
  SECTION("abandoned") {
    rvm::AtomicFile file(dir / "file");
    file.write(test::bytes_of("abc"));
    const rvm::AtomicFile moved = std::move(file);
    CHECK_FALSE(dir.empty());
  }
  const auto left =
      std::distance(std::filesystem::directory_iterator(dir.path()), std::filesystem::directory_iterator{});
  CHECK(left == (std::filesystem::exists(dir / "file") ? 1 : 0));
}

TEST_CASE("an atomic file patches only what it has written") {
  const test::TempDir dir;
  rvm::AtomicFile file(dir / "file");
  file.write(test::bytes_of("abc"));
  REQUIRE_THROWS_AS(file.write_at(2, test::bytes_of("xy")), rvm::ArgumentError);
  REQUIRE_THROWS_AS(file.write_at(4, {}), rvm::ArgumentError);
}

TEST_CASE("an atomic file names what cannot be written") {
  const test::TempDir dir;
  REQUIRE_THROWS_AS(rvm::AtomicFile(dir / "no/file"), rvm::IoError);
  REQUIRE_THROWS_WITH(rvm::AtomicFile(dir / "no/file"), ContainsSubstring("no/file") && ContainsSubstring("No such"));
  REQUIRE_THROWS_WITH(rvm::AtomicFile(dir.path()), ContainsSubstring("directory"));
  rvm::AtomicFile file(dir / "late");
  std::filesystem::create_directory(dir / "late");
  REQUIRE_THROWS_AS(file.commit(), rvm::IoError);
  std::filesystem::remove(dir / "late");
  CHECK(dir.empty());
}

#if __has_include(<sys/resource.h>)
TEST_CASE("an atomic file reports a full disk and leaves nothing") {
  const test::TempDir dir;
  ::rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const ::rlimit small{4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string large_message;
  std::string buffered_message;
  std::string late_message;
  try {
    rvm::AtomicFile file(dir / "large");
    try {
      file.write(std::vector<std::byte>(1 << 20));
    } catch (const rvm::IoError& error) {
      large_message = error.what();
    }
    file.commit();
  } catch (const rvm::ArgumentError& error) {
    late_message = error.what();
  }
  try {
    rvm::AtomicFile file(dir / "buffered");
    for (int i = 0; i < 5000; ++i) file.write(std::vector<std::byte>(1));
    file.commit();
  } catch (const rvm::IoError& error) {
    buffered_message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK_THAT(large_message, ContainsSubstring("large: cannot write: File too large"));
  CHECK_THAT(buffered_message, ContainsSubstring("buffered: cannot write: File too large"));
  CHECK_THAT(late_message, ContainsSubstring("already closed"));
  CHECK(dir.empty());
}

TEST_CASE("wherever the disk is full, the old file stays or the whole new one is there") {
  const test::TempDir dir;
  constexpr std::size_t kSize = 3 * 4096 + 10;
  const std::vector<std::byte> old(100, std::byte{1});
  const std::vector<std::byte> wanted(kSize, std::byte{2});
  ::rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  std::size_t refused = 0;
  bool right = true;
  for (std::size_t limit = 0; limit <= kSize + 64; limit += 64) {
    test::write_file(dir / "file", old);
    const ::rlimit small{limit, before.rlim_max};
    right = right && ::setrlimit(RLIMIT_FSIZE, &small) == 0;
    bool written = true;
    try {
      rvm::AtomicFile file(dir / "file");
      for (std::size_t at = 0; at < kSize; at += 1000)
        file.write(std::span(wanted).subspan(at, std::min<std::size_t>(1000, kSize - at)));
      file.commit();
    } catch (const rvm::IoError&) {
      written = false;
      ++refused;
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    right = right && written == (limit >= kSize) && test::read_file(dir / "file") == (written ? wanted : old);
  }
  std::signal(SIGXFSZ, handler);
  CHECK(right);
  CHECK(refused == kSize / 64 + 1);
  std::filesystem::remove(dir / "file");
  CHECK(dir.empty());
}

TEST_CASE("a writer that is killed, at any moment, leaves a whole file") {
  const test::TempDir dir;
  constexpr std::size_t kParts = 16;
  constexpr std::size_t kPart = 5000;
  // Writes files of one number each, again and again, until it is killed.
  const auto write_for_ever = [&] {
    ::alarm(60);  // should nobody kill it
    for (unsigned version = 1;; version = version % 255 + 1) {
      const std::vector<std::byte> part(kPart, static_cast<std::byte>(version));
      rvm::AtomicFile file(dir / "file");
      for (std::size_t i = 0; i < kParts; ++i) file.write(part);
      file.commit();
    }
  };
  constexpr int kKills = 100;
  test::Random random(1);
  int whole = 0;
  for (int i = 0; i < kKills; ++i) {
    const ::pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        write_for_ever();
      } catch (...) {
      }
      ::_exit(1);
    }
    while (i == 0 && !std::filesystem::exists(dir / "file")) ::usleep(1000);
    ::usleep(static_cast<::useconds_t>(random.between(0, 4000)));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const std::vector<std::byte> found = test::read_file(dir / "file");
    if (found.size() == kParts * kPart && found == std::vector<std::byte>(found.size(), found[0])) ++whole;
  }
  CHECK(whole == kKills);
  // Most were killed in the middle of a write: what they had written is still there under another name.
  const auto left =
      std::distance(std::filesystem::directory_iterator(dir.path()), std::filesystem::directory_iterator{});
  CHECK(left > 1 + kKills / 10);
}
#endif

TEST_CASE("an atomic file's name may be as long as names may be") {
  const test::TempDir dir;
  const std::string name(255, 'n');
  rvm::AtomicFile file(dir / name);
  file.write(test::bytes_of("abc"));
  file.commit();
  CHECK(test::read_file(dir / name) == test::bytes_of("abc"));
  CHECK_THROWS_AS(rvm::AtomicFile(dir / std::string(256, 'n')), rvm::IoError);
}
