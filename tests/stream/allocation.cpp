// A steady-state step allocates nothing.

#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <rvm/image/lanczos.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace {

template <class Body>
std::size_t allocations_in(const Body& body) {
  const std::size_t before = test::allocations();
  body();
  return test::allocations() - before;
}

}  // namespace

TEST_CASE("the counter sees allocations") {
  if (!test::allocations_are_counted()) return;
  CHECK(allocations_in([] { delete new volatile int(1); }) == 1);
  CHECK(allocations_in([] { std::free(std::malloc(10)); }) <= 1);
  CHECK(allocations_in([] { const rvm::Tensor<float> tensor({3}); }) == 1);
}

TEMPLATE_LIST_TEST_CASE("a warm stream allocates nothing", "", test::AllBackends) {
  // Widths of the small published model, where blocking has something to block.
  const rvm::Model<TestType> model(rvm::random_weights({384, {1, 6, 64, 1536}, {1, 8, 48, 2048}, {}}), {.threads = 2});
  const std::size_t batch = GENERATE(1U, 2U);
  constexpr std::size_t kSide = 128;
  const auto video = test::Random(1).bytes({4 * batch, kSide, kSide, 3});
  const auto frames = test::frames_of(video);
  const auto large = test::Random(2).bytes({1, 200, 300, 3});
  const rvm::FrameView large_frame = test::frames_of(large)[0];
  rvm::Stream stream(model, {.height = kSide, .width = kSide, .batch = batch});
  std::vector<float> out(4 * batch * stream.token_count() * stream.token_width());
  rvm::Resizer resizer;
  rvm::Image resized;
  double sum = 0;
  const auto all = [&] {
    for (int i = 0; i < 3; ++i) {
      const auto features = stream.step(std::span(frames).first(batch));
      sum += static_cast<double>(features.tokens()(1, 1, 1)) + static_cast<double>(features.cls()(0));
    }
    stream.run(frames, out);
    stream.reset(batch - 1);
    stream.reset();
    resizer.resize(large_frame, kSide, kSide, resized);
  };
  all();
  const std::size_t freed_before = test::releases();
  const std::size_t count = allocations_in(all);
  const std::size_t freed = test::releases() - freed_before;
  if (test::allocations_are_counted()) {
    // oneDNN makes a small table of arguments for every product and drops it again: nothing that is ours, or stays.
    if (std::string_view(TestType::kName) != "onednn") CHECK(count == 0);
    CHECK(freed == count);
  }
  CHECK(sum != 0);
}
