// Memory runs out at the n-th allocation, for every n, while files are opened, read and written.

#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <rvm/weights/load.hpp>

#include "support/catch.hpp"
#include "support/each_failing_allocation.hpp"
#include "support/temp_dir.hpp"

namespace {

void check(const test::FailingAllocations& found) {
  if (!test::allocations_are_counted()) return;
  CAPTURE(found.trials, found.throwing, found.first_leak, found.first_wrong);
  CHECK(found.throwing > 0);
  CHECK(found.first_leak == test::FailingAllocations::kNone);
  CHECK(found.first_wrong == test::FailingAllocations::kNone);
}

std::size_t files_in(const test::TempDir& dir) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(dir.path()), std::filesystem::directory_iterator{}));
}

void read_all(const std::filesystem::path& path) {
  const rvm::Weights weights = rvm::load_weights(path);
  for (const std::string& key : weights.keys()) {
    const rvm::WeightArray array = weights.at(key);
    array.verify();
    if (array.dtype() == rvm::DType::kFloat32) static_cast<void>(array.as<float>());
  }
}

}  // namespace

TEST_CASE("weights that cannot be read for want of memory leave nothing") {
  const std::filesystem::path file =
      std::string(RVM_TEST_DATA) + GENERATE(as<std::string>(), "/npy/stored.npz", "/npy/deflated.npz",
                                            "/../fuzz/corpus/safetensors/several.safetensors");
  const bool all_after = GENERATE(false, true);
  CAPTURE(file.string());
  check(test::each_failing_allocation(
      [&](const auto& attempt) {
        attempt([&] { read_all(file); });
        return true;
      },
      all_after));
}

TEST_CASE("a refusal that runs out of memory itself leaves nothing") {
  const test::TempDir dir;
  test::write_file(dir / "file", test::bytes_of("no weights at all, whichever way one looks at it"));
  const std::string stored = std::string(RVM_TEST_DATA) + "/npy/stored.npz";
  const auto refused = [](const auto& attempt, const auto& read) {
    return attempt([&] {
      try {
        read();
      } catch (const rvm::Error&) {
        return;
      }
    });
  };
  check(test::each_failing_allocation([&](const auto& attempt) {
    refused(attempt, [&] { rvm::load_weights(dir / "file"); });
    return true;
  }));
  check(test::each_failing_allocation([&](const auto& attempt) {
    refused(attempt, [&] { static_cast<void>(rvm::load_weights(stored).at("a key that is not there, but is long")); });
    return true;
  }));
}

TEST_CASE("a file that cannot be written for want of memory stays as it was") {
  const test::TempDir dir;
  std::vector<std::pair<std::string, rvm::Tensor<float>>> tensors;
  tensors.emplace_back("one", rvm::Tensor<float>({3, 5}));
  tensors.emplace_back("a/much/longer/key/than/fits/a/short/string", rvm::Tensor<float>({4000}));
  const rvm::Weights weights = rvm::Weights::from_tensors("memory", std::move(tensors));
  const bool safetensors = GENERATE(false, true);
  const bool all_after = GENERATE(false, true);
  const auto save = [&](const std::filesystem::path& path) {
    safetensors ? rvm::save_safetensors(path, weights) : rvm::save_npz(path, weights);
  };
  const std::filesystem::path path = dir / "file";
  const auto old = test::bytes_of("what was there before");
  save(dir / "whole");
  const auto whole = test::read_file(dir / "whole");
  std::filesystem::remove(dir / "whole");
  check(test::each_failing_allocation(
      [&](const auto& attempt) {
        test::write_file(path, old);
        const bool threw = attempt([&] { save(path); });
        return test::read_file(path) == (threw ? old : whole) && files_in(dir) == 1;
      },
      all_after));
}
