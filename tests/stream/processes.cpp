// The same frames give the same bits in another process, from the beginning or from a saved state.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"

#if defined(__linux__)
#include "support/run_program.hpp"

namespace {

constexpr std::size_t kHeight = 48;
constexpr std::size_t kWidth = 32;
constexpr std::size_t kBatch = 2;
constexpr std::size_t kSteps = 6;
constexpr std::size_t kSaved = 3;  // steps before the state is saved

// What tells the second process where its files are.
constexpr auto kDirectory = "RVM_TEST_DIRECTORY";

/// A video, and a stream that is to see it.
template <class B>
struct Scene {
  rvm::Tensor<std::uint8_t> video = test::Random(1).bytes({kSteps * kBatch, kHeight, kWidth, 3});
  std::vector<rvm::FrameView> frames = test::frames_of(video);
  rvm::Stream<B> stream{rvm::Model<B>(rvm::random_weights({40, {2, 3, 8, 40}, {2, 2, 12, 36}, {}}), {.threads = 2}),
                        {.height = kHeight, .width = kWidth, .batch = kBatch}};

  /// Takes some steps and appends their features.
  void watch(std::size_t from, std::size_t to, std::vector<std::byte>& features) {
    for (std::size_t t = from; t < to; ++t) {
      const auto bytes = std::as_bytes(stream.step(std::span(frames).subspan(t * kBatch, kBatch)).values().span());
      features.insert(features.end(), bytes.begin(), bytes.end());
    }
  }
};

// Backends share the directory, a file each.
template <class B>
std::string file(const std::string& name) {
  return name + "-" + std::string(B::kName) + "-" + (test::kExact<B> ? "float" : test::kBytes<B> ? "int8" : "bfloat16");
}

}  // namespace

// Run by the test below, in a process of its own.
TEMPLATE_LIST_TEST_CASE("the second process", "[.][second_process]", test::AllBackends) {
  const char* const directory = std::getenv(kDirectory);
  REQUIRE(directory != nullptr);
  const std::filesystem::path dir(directory);
  Scene<TestType> scene;
  std::vector<std::byte> features;
  scene.watch(0, kSteps, features);
  test::write_file(dir / file<TestType>("from_start"), features);
  features.clear();
  scene.stream.restore(test::read_file(dir / file<TestType>("state")));
  test::write_file(dir / file<TestType>("same_state"), scene.stream.save());
  scene.watch(kSaved, kSteps, features);
  test::write_file(dir / file<TestType>("from_state"), features);
}

namespace {

/// What this process makes of the video: writes the state, returns the features.
template <class B>
std::vector<std::byte> first_process(const test::TempDir& dir) {
  Scene<B> scene;
  std::vector<std::byte> features;
  scene.watch(0, kSaved, features);
  test::write_file(dir / file<B>("state"), scene.stream.save());
  scene.watch(kSaved, kSteps, features);
  return features;
}

template <class B>
void compare(const test::TempDir& dir, const std::vector<std::byte>& expected) {
  CAPTURE(file<B>("features"));
  const bool from_start = test::read_file(dir / file<B>("from_start")) == expected;
  CHECK(from_start);
  const bool same_state = test::read_file(dir / file<B>("same_state")) == test::read_file(dir / file<B>("state"));
  CHECK(same_state);
  const auto rest = std::span(expected).last(expected.size() / kSteps * (kSteps - kSaved));
  const bool from_state = test::read_file(dir / file<B>("from_state")) == std::vector(rest.begin(), rest.end());
  CHECK(from_state);
}

template <class... B>
void check_all(const test::TempDir& dir, const std::string& command, std::tuple<B...>*) {
  const std::vector<std::vector<std::byte>> expected = {first_process<B>(dir)...};
  const test::ProgramResult result = test::run_program(command);
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  std::size_t i = 0;
  (compare<B>(dir, expected[i++]), ...);
}

}  // namespace

TEST_CASE("another process gives the same bits, and goes on from a saved state bit for bit") {
  const test::TempDir dir;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command =
      std::string(kDirectory) + "='" + dir.path().string() + "' '" + self + "' '[second_process]'";
  check_all(dir, command, static_cast<test::AllBackends*>(nullptr));
}
#endif
