// Runs the tests where there is a GPU; elsewhere says so and ends with 77. With RVM_TEST_MEASURE=0 in the environment
// products are not measured.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <rvm/backend/cuda/runtime.hpp>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int main(int argc, char** argv) {
  int devices = 0;
  const int error = rvm::detail::cuda::count_devices(&devices);
  if (error != 0 || devices == 0) {
    std::printf("skipped: there is no CUDA device (%s)\n",
                error == 0 ? "none found" : rvm::detail::cuda::error_name(error));
    return 77;
  }
  const char* const measure = std::getenv("RVM_TEST_MEASURE");
  if (measure != nullptr && std::string_view(measure) == "0") rvm::detail::cuda::measure_nothing();
  return Catch::Session().run(argc, argv);
}
