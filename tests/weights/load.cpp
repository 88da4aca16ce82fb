#include <rvm/weights/load.hpp>

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

TEST_CASE("the format is told by the contents, not by the name") {
  const test::TempDir dir;
  std::vector<std::pair<std::string, rvm::Tensor<float>>> tensors;
  tensors.emplace_back("a", rvm::Tensor<float>({2}));
  const auto weights = rvm::Weights::from_tensors("memory", std::move(tensors));
  rvm::save_npz(dir / "file.safetensors", weights);
  rvm::save_safetensors(dir / "file.npz", weights);
  CHECK(rvm::load_weights(dir / "file.safetensors").at("a").shape() == rvm::Shape{2});
  CHECK(rvm::load_weights(dir / "file.npz").at("a").shape() == rvm::Shape{2});
  CHECK(rvm::load_weights(std::string(RVM_TEST_DATA) + "/weights.npz").size() == 157);
  rvm::NpzWriter(dir / "empty").close();
  CHECK(rvm::load_weights(dir / "empty").size() == 0);
}

TEST_CASE("other files are refused with the formats that are read") {
  const test::TempDir dir;
  REQUIRE_THROWS_AS(rvm::load_weights(dir / "missing"), rvm::IoError);
  for (const char* text : {"", "{}", "PK", "no weights at all"}) {
    test::write_file(dir / "file", test::bytes_of(text));
    REQUIRE_THROWS_AS(rvm::load_weights(dir / "file"), rvm::WeightsError);
    REQUIRE_THROWS_WITH(rvm::load_weights(dir / "file"), ContainsSubstring("a .npz or safetensors file"));
  }
}
