# The library behind rvm/backend/cuda/runtime.hpp and operations.hpp: the one part of rvm that is compiled. Who uses it
# needs neither nvcc nor CUDA's headers.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 90-virtual)
  if(DEFINED ENV{CUDAARCHS})
    set(CMAKE_CUDA_ARCHITECTURES $ENV{CUDAARCHS})
  endif()
endif()
enable_language(CUDA)

set(rvm_cuda_dir ${PROJECT_SOURCE_DIR}/include/rvm/backend/cuda)
add_library(rvm_cuda STATIC
  ${rvm_cuda_dir}/attention.cu ${rvm_cuda_dir}/attention_float.cu ${rvm_cuda_dir}/elements.cu ${rvm_cuda_dir}/norms.cu
  ${rvm_cuda_dir}/library/plain_product.cu ${rvm_cuda_dir}/library/products.cpp ${rvm_cuda_dir}/library/runtime.cpp)
add_library(rvm::cuda ALIAS rvm_cuda)
set_target_properties(rvm_cuda PROPERTIES EXPORT_NAME cuda POSITION_INDEPENDENT_CODE ON)
if(NOT PROJECT_IS_TOP_LEVEL)  # for who links it
  set_target_properties(rvm_cuda PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
target_compile_options(rvm_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>  # which CMake 3.25 does not know to say
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wno-pedantic> $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra>)
target_compile_features(rvm_cuda PRIVATE cxx_std_20)
target_include_directories(rvm_cuda PRIVATE ${PROJECT_SOURCE_DIR}/include)  # not rvm's: nvcc stumbles over /usr/include
target_link_libraries(rvm_cuda INTERFACE rvm PRIVATE CUDA::cudart_static CUDA::cublasLt)
