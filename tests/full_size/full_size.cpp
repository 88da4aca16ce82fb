// A model of the published size S, in the official layout: memory, pages, features and reconstruction.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <rvm/rvm.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/temp_dir.hpp"

namespace {

/// One number of /proc/self/status, in bytes: "VmHWM" is the most memory that was ever resident, "RssFile" what is
/// resident of files.
std::size_t status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    std::size_t kilobytes = 0;
    if (word == name + ":" && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

bool is_decoder(const std::string& key) {
  return key.starts_with("decoder") || key.starts_with("delta_embedder") || key.starts_with("detokenizer");
}

/// Sets the protection of the pages that hold the decoder's arrays. How many bytes they are.
std::size_t protect_decoder(const rvm::Weights& weights, int protection) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t bytes_protected = 0;
  for (const std::string& key : weights.keys()) {
    if (!is_decoder(key)) continue;
    const auto bytes = weights.at(key).bytes();
    const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
    if (begin >= end) continue;
    REQUIRE(::mprotect(reinterpret_cast<void*>(begin), end - begin, protection) == 0);
    bytes_protected += end - begin;
  }
  return bytes_protected;
}

/// Writes the file in another process, whose memory is not counted here.
void write_weights(const std::filesystem::path& path) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      rvm::save_npz(path, rvm::random_weights(rvm::Config::variant("S"), 1));
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int result = -1;
  REQUIRE(::waitpid(child, &result, 0) == child);
  REQUIRE(result == 0);
}

}  // namespace

TEST_CASE("the small published size: its features, in little memory, the decoder untouched until it is wanted") {
  constexpr std::size_t kMegabyte = 1024 * 1024;
  const test::TempDir dir;
  const std::filesystem::path path = dir / "rvm_small.npz";
  write_weights(path);
  CHECK(std::filesystem::file_size(path) / 1'000'000 == 270);

  const std::size_t files_before = status("RssFile");
  const rvm::Weights weights = rvm::load_weights(path);
  CHECK(status("RssFile") < files_before + 4 * kMegabyte);

  // From here on, reading a decoder's array would end the process.
  CHECK(protect_decoder(weights, PROT_NONE) > 130 * kMegabyte);

  const rvm::Model model(weights);
  CHECK(model.config().width == 384);
  CHECK(rvm::unknown_keys(weights).empty());
  rvm::Stream stream(model, {.height = 256, .width = 256});
  const auto video = rvm::load_npz(test::data("features_256x256.npz")).at("video").as<std::uint8_t>();
  const auto expected = rvm::load_npz(test::data("features_s_256x256.npz")).at("features").as<float>();
  const auto frames = test::frames_of(video);
  REQUIRE(frames.size() == expected.shape()[0]);
  for (std::size_t t = 0; t < frames.size(); ++t) {
    const auto features = stream.step(frames[t]).values()[0];
    std::vector<float> every_eighth;
    for (std::size_t token = 0; token < features.shape()[0]; token += 8) {
      every_eighth.insert(every_eighth.end(), features[token].begin(), features[token].end());
    }
    CHECK(test::difference(every_eighth, expected[t]) < 1e-4);
  }
  const std::size_t peak = status("VmHWM");
  CAPTURE(peak / kMegabyte);
  CHECK(peak > 0);
  CHECK(peak < std::size_t{420'000'000});

  // The decoder, when it is wanted: what it says of the first frame, 5 % of it shown, after both.
  protect_decoder(weights, PROT_READ);
  const rvm::Decoder decoder(model, weights);
  CHECK(decoder.config() == rvm::Config::variant("S").decoder);
  CHECK(status("RssFile") < files_before + 4 * kMegabyte);
  const rvm::Weights answers = rvm::load_npz(test::data("reconstruct_s_256x256.npz"));
  const auto visible = answers.at("visible").as<std::int32_t>();
  const rvm::MaskedFrame target{frames[0], 9, {visible.begin(), visible.end()}};
  const rvm::Tensor<float> pixels = reconstruct(decoder, frames, std::span(&target, 1));
  std::vector<float> one_of_each_patch;
  for (std::size_t y = 5; y < 256; y += 16) {
    for (std::size_t x = 3; x < 256; x += 16) {
      for (std::size_t c = 0; c < 3; ++c) one_of_each_patch.push_back(pixels(0, y, x, c));
    }
  }
  CHECK(test::difference(one_of_each_patch, answers.at("pixels").as<float>()) < 1e-4);
}
