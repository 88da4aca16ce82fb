# cpack -G DEB, in a build folder: librvm-dev, the headers and what find_package and pkg-config read, for any processor.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rvm)
set(CPACK_PACKAGE_CONTACT "rvm maintainers <rvm@example.org>" CACHE STRING "Who makes the packages")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION} (headers)")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME librvm-dev)
set(CPACK_DEBIAN_DEV_FILE_NAME DEB-DEFAULT)
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "A header-only C++20 library that turns a video, one frame at a time, into dense\nfeatures, as the model of arXiv 2512.13684 does.")
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4), zlib1g-dev, nlohmann-json3-dev (>= 3.9)")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "libdnnl-dev (>= 2.6), pkgconf | pkg-config")
install(FILES cmake/debian-copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/librvm-dev RENAME copyright
        EXCLUDE_FROM_ALL)
include(CPack)
