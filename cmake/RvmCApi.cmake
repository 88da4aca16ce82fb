# The C API as one shared library, librvm_c. What it is made of stays inside: its users need neither C++ nor what the
# headers need, and no symbol but the API's can be seen. Before 1.0 each minor version has an ABI of its own.
add_library(rvm_c SHARED ${PROJECT_SOURCE_DIR}/include/rvm/c/rvm.cpp)
add_library(rvm::c ALIAS rvm_c)
target_compile_definitions(rvm_c PRIVATE RVM_C_BUILDING)
target_include_directories(rvm_c INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(rvm_c PRIVATE $<BUILD_INTERFACE:rvm> $<BUILD_INTERFACE:$<$<TARGET_EXISTS:rvm_flags>:rvm_flags>>)
set_target_properties(rvm_c PROPERTIES
  EXPORT_NAME c
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  CXX_VISIBILITY_PRESET hidden
  VISIBILITY_INLINES_HIDDEN ON)
if(UNIX AND NOT APPLE)
  # The standard library's templates are visible whatever the preset says.
  file(WRITE ${PROJECT_BINARY_DIR}/rvm_c.map
       "RVM_${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} {\n  global: rvm_*;\n  local: *;\n};\n")
  target_link_options(rvm_c PRIVATE -Wl,--version-script=${PROJECT_BINARY_DIR}/rvm_c.map)
endif()
