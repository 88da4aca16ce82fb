// What a processor and its operating system offer, and what becomes of a refusal.

#include <rvm/backend/cpu/isa.hpp>

#include <string>

#include <rvm/backend/cpu/device.hpp>

#include "support/catch.hpp"
#include "support/instruction_sets.hpp"

using rvm::Isa;

TEST_CASE("an instruction set has a name") {
  CHECK(rvm::name_of(Isa::kPortable) == "portable");
  CHECK(rvm::name_of(Isa::kAmx) == "AMX");
  CHECK_FALSE(rvm::name_of(rvm::best_isa()).empty());
}

TEST_CASE("no more than is allowed, and of that the most that there is") {
  Isa last = Isa::kPortable;
  for (int i = 0; i <= static_cast<int>(Isa::kAmx); ++i) {
    const Isa most = static_cast<Isa>(i);
    const Isa found = rvm::best_isa(most);
    CAPTURE(rvm::name_of(most), rvm::name_of(found));
    CHECK(found <= most);
    CHECK(found >= last);
    CHECK(rvm::best_isa(found) == found);
    last = found;
  }
  CHECK(rvm::best_isa() == last);
  CHECK(rvm::best_isa(Isa::kPortable) == Isa::kPortable);
  // Most processors with AVX-512 do not have it.
  if (rvm::best_isa() >= Isa::kAvx2) {
    CHECK(rvm::best_isa(Isa::kAvxVnni) == (rvm::detail::has_avx_vnni() ? Isa::kAvxVnni : Isa::kAvx2));
  }
}

TEST_CASE("AMX is asked for, and what comes next takes its place where it is refused") {
  static int asked = 0;
  const auto refuse = []() noexcept { return ++asked, false; };
  const auto grant = []() noexcept { return ++asked, true; };
  CHECK(rvm::detail::usable_isa(Isa::kAmx, refuse) == Isa::kAvx512Bf16);
  CHECK(rvm::detail::usable_isa(Isa::kAmx, grant) == Isa::kAmx);
  CHECK(asked == 2);
  CHECK(rvm::detail::usable_isa(Isa::kAvx512Bf16, refuse) == Isa::kAvx512Bf16);
  CHECK(rvm::detail::usable_isa(Isa::kPortable, refuse) == Isa::kPortable);
  CHECK(asked == 2);
  if (!rvm::detail::has_amx()) CHECK_FALSE(rvm::detail::ask_for_amx());
  CHECK(test::instruction_sets().back() <= rvm::best_isa());
}

TEST_CASE("a user hears of what is missing") {
  using rvm::detail::speed_notice;
  CHECK(speed_notice(true, Isa::kAmx, Isa::kAmx).empty());
  CHECK_THAT(speed_notice(true, Isa::kAmx, Isa::kAvx512Bf16),
             ContainsSubstring("does not let this process use AMX") && ContainsSubstring("AVX-512 with bfloat16"));
  CHECK_THAT(speed_notice(false, Isa::kAvx2, Isa::kAvx2), ContainsSubstring("this processor has no bfloat16 units"));
  CHECK_THAT(speed_notice(false, Isa::kAmx, Isa::kAvx512),
             ContainsSubstring("use AMX") && ContainsSubstring("; this processor has no bfloat16 units"));
}
