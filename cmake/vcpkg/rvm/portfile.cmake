# An overlay port of the checkout that it lies in: vcpkg install rvm --overlay-ports=cmake/vcpkg
set(VCPKG_BUILD_TYPE release)  # headers alone
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DRVM_BUILD_EXAMPLES=OFF -DRVM_BUILD_TESTS=OFF -DRVM_BUILD_BENCHMARKS=OFF -DRVM_CUDA=OFF -DRVM_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/rvm)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
