// What is oneDNN's own; the typed tests do the rest.

#include <rvm/backend/onednn.hpp>

#include <cstddef>
#include <string>

#include <rvm/stream.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace {

template <class B>
rvm::Tensor<float> features(const test::Clip& clip, const typename B::Options& options) {
  rvm::Stream stream(rvm::Model<B>(test::small_weights(), options), {.height = clip.height(), .width = clip.width()});
  return stream.run(clip.frames);
}

}  // namespace

TEST_CASE("bfloat16 works on processors without it, and says so") {
  using Bf16 = rvm::OneDnn<rvm::bfloat16>;
  const test::Clip clip("features_96x160.npz");
  for (const rvm::Isa isa : {rvm::Isa::kPortable, rvm::Isa::kAvx2}) {
    if (isa > rvm::best_isa()) continue;
    const Bf16::Device device(Bf16::Options{.threads = 1, .isa = isa});
    CHECK_THAT(device.description(), ContainsSubstring("oneDNN ") && ContainsSubstring("computed in float"));
    CHECK_THAT(device.notice(), ContainsSubstring("no bfloat16 units"));
    const auto found = features<Bf16>(clip, {.threads = 2, .isa = isa});
    CHECK(test::error<Bf16>(found, clip.features) < 0.0045);
    CHECK(test::error<Bf16>(found, clip.features) > 0.001);  // it does round
  }
  const rvm::OneDnn<float>::Device exact({});
  CHECK(exact.description().find("computed in float") == std::string::npos);
  CHECK(exact.notice().empty());
}

TEST_CASE("float is exact on every instruction set") {
  const test::Clip clip("features_96x160.npz");
  for (const rvm::Isa isa : {rvm::Isa::kPortable, rvm::Isa::kAvx2, rvm::Isa::kAvx512}) {
    if (isa > rvm::best_isa()) continue;
    CAPTURE(rvm::name_of(isa));
    CHECK(test::difference(features<rvm::OneDnn<float>>(clip, {.threads = 2, .isa = isa}), clip.features) < 2e-5);
  }
}
