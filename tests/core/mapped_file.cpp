#include <rvm/core/mapped_file.hpp>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <limits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace {

/// Pages that the process shares with files and others, or 0 where the system does not say.
std::size_t shared_pages() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  std::ifstream("/proc/self/statm") >> all >> resident >> shared;
  return shared;
}

}  // namespace

TEST_CASE("a mapped file shows the file's bytes") {
  const test::TempDir dir;
  test::write_file(dir / "file", test::bytes_of("some bytes"));
  rvm::MappedFile file(dir / "file");
  CHECK(std::ranges::equal(file.bytes(), test::bytes_of("some bytes")));

  rvm::MappedFile moved = std::move(file);
  CHECK(moved.bytes().size() == 10);
  CHECK(file.bytes().empty());
  file = std::move(moved);
  CHECK(file.bytes().size() == 10);
}

TEST_CASE("an empty file maps to no bytes") {
  const test::TempDir dir;
  test::write_file(dir / "empty", {});
  const rvm::MappedFile file(dir / "empty");
  CHECK(file.bytes().empty());
  file.discard(0, 100);
}

TEST_CASE("what is no readable file is refused by name") {
  const test::TempDir dir;
  REQUIRE_THROWS_AS(rvm::MappedFile(dir / "missing"), rvm::IoError);
  REQUIRE_THROWS_WITH(rvm::MappedFile(dir / "missing"), ContainsSubstring((dir / "missing").string()));
  REQUIRE_THROWS_WITH(rvm::MappedFile(dir / "missing"), ContainsSubstring("No such file"));
  REQUIRE_THROWS_AS(rvm::MappedFile(dir.path()), rvm::IoError);
  REQUIRE_THROWS_WITH(rvm::MappedFile(dir.path()), ContainsSubstring("directory"));
}

TEST_CASE("discarded pages leave memory and read the same again") {
  constexpr std::size_t kSize = std::size_t{16} << 20;
  const test::TempDir dir;
  std::vector<std::byte> bytes(kSize + 123);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 4096);
  test::write_file(dir / "file", bytes);
  const std::size_t closed = shared_pages();
  const rvm::MappedFile file(dir / "file");
  REQUIRE(std::ranges::equal(file.bytes(), bytes));

  const std::size_t read = shared_pages();
  file.discard(100, kSize);
  const std::size_t discarded = shared_pages();
  if (read > closed + 100) CHECK(discarded < closed + (read - closed) / 4);
  CHECK(std::ranges::equal(file.bytes(), bytes));

  file.discard(0, std::numeric_limits<std::size_t>::max());
  file.discard(10, 5);
  file.discard(bytes.size() + 1, 5);
  file.discard(std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max());
  CHECK(std::ranges::equal(file.bytes(), bytes));
}
