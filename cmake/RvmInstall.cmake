# cmake --install: headers, licence and the files that find_package(rvm) and pkg-config read.
include(CMakePackageConfigHelpers)

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME dev)
set(rvm_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/rvm)
install(DIRECTORY include/rvm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} PATTERN "*.cpp" EXCLUDE
        PATTERN "*.cu" EXCLUDE REGEX "backend/cuda/(kernels|library)$" EXCLUDE)
install(FILES LICENSE CHANGELOG.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/rvm)
install(TARGETS rvm EXPORT rvm)
install(EXPORT rvm FILE rvm-targets.cmake NAMESPACE rvm:: DESTINATION ${rvm_package_dir})
if(RVM_C_API)
  # Left out where it has not been built: the headers do not need it.
  set(rvm_c_file ${CMAKE_INSTALL_LIBDIR}/${CMAKE_SHARED_LIBRARY_PREFIX}rvm_c${CMAKE_SHARED_LIBRARY_SUFFIX})
  install(TARGETS rvm_c EXPORT rvm-c LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT c OPTIONAL
          NAMELINK_COMPONENT c)
  install(EXPORT rvm-c FILE rvm-c-targets.cmake NAMESPACE rvm:: DESTINATION ${rvm_package_dir} COMPONENT c)
endif()
if(RVM_HAS_CUDA)
  # Left out where it has not been built, too.
  set(rvm_cuda_file ${CMAKE_INSTALL_LIBDIR}/${CMAKE_STATIC_LIBRARY_PREFIX}rvm_cuda${CMAKE_STATIC_LIBRARY_SUFFIX})
  install(TARGETS rvm_cuda EXPORT rvm-cuda ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cuda OPTIONAL)
  install(EXPORT rvm-cuda FILE rvm-cuda-targets.cmake NAMESPACE rvm:: DESTINATION ${rvm_package_dir} COMPONENT cuda)
endif()
configure_package_config_file(cmake/rvm-config.cmake.in rvm-config.cmake INSTALL_DESTINATION ${rvm_package_dir})
write_basic_package_version_file(rvm-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rvm-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/rvm-config-version.cmake
        cmake/rvm-onednn.cmake DESTINATION ${rvm_package_dir})

# A prefix may be moved: it is found from where the .pc file lies.
set(rvm_pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
if(IS_ABSOLUTE ${rvm_pkgconfig_dir} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(rvm_pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(rvm_pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH rvm_pc_prefix /${rvm_pkgconfig_dir} /)
  string(REGEX REPLACE "/$" "" rvm_pc_prefix "\${pcfiledir}/${rvm_pc_prefix}")
  set(rvm_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(package IN ITEMS rvm rvm-onednn)
  configure_file(cmake/${package}.pc.in ${package}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${package}.pc DESTINATION ${rvm_pkgconfig_dir})
endforeach()

if(RVM_C_API)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
    set(rvm_pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  else()
    set(rvm_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  endif()
  configure_file(cmake/rvm-c.pc.in rvm-c.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rvm-c.pc DESTINATION ${rvm_pkgconfig_dir} COMPONENT c)
endif()

if(PROJECT_IS_TOP_LEVEL)
  include(RvmDebian)
endif()
