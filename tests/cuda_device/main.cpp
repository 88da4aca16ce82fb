// Runs the tests where there is a GPU; elsewhere says so and ends with 77.

#include <cstdio>

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
  return Catch::Session().run(argc, argv);
}
