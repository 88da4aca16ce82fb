# cmake --install: headers, licence and the files that find_package(rvm) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(rvm_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/rvm)
install(DIRECTORY include/rvm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/rvm)
install(TARGETS rvm EXPORT rvm)
install(EXPORT rvm FILE rvm-targets.cmake NAMESPACE rvm:: DESTINATION ${rvm_package_dir})
if(RVM_HAS_ONEDNN)
  install(TARGETS rvm_onednn EXPORT rvm-onednn)
  install(EXPORT rvm-onednn FILE rvm-onednn-targets.cmake NAMESPACE rvm:: DESTINATION ${rvm_package_dir})
endif()
configure_package_config_file(cmake/rvm-config.cmake.in rvm-config.cmake INSTALL_DESTINATION ${rvm_package_dir})
write_basic_package_version_file(rvm-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rvm-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/rvm-config-version.cmake
        DESTINATION ${rvm_package_dir})
