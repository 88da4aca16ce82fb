# Finds oneDNN 2.6 or later, as DNNL::dnnl. Included where rvm is built and where an installed rvm is found.
cmake_policy(VERSION 3.22)

function(rvm_find_onednn)
  # Debian's oneDNN computes on GPUs too: its package file ends the configuration where OpenCL's files for development are
  # not, which one that links oneDNN's shared library does not need.
  find_package(OpenCL QUIET)
  set(without_opencl FALSE)
  if(NOT OpenCL_FOUND)
    set(without_opencl TRUE)
    set(OpenCL_LIBRARY not-linked)
    set(OpenCL_INCLUDE_DIR ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
    set(CMAKE_MESSAGE_LOG_LEVEL WARNING)  # it would say that it found them
  endif()
  foreach(version IN ITEMS 2.6 3.0)
    if(NOT TARGET DNNL::dnnl)
      find_package(dnnl ${version} CONFIG QUIET)
    endif()
  endforeach()
  if(without_opencl AND TARGET OpenCL::OpenCL AND TARGET DNNL::dnnl)
    get_target_property(links DNNL::dnnl INTERFACE_LINK_LIBRARIES)
    list(REMOVE_ITEM links OpenCL::OpenCL)
    set_target_properties(DNNL::dnnl PROPERTIES INTERFACE_LINK_LIBRARIES "${links}")
  endif()
endfunction()
