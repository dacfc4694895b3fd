# Compiles the GPU's kernels with nvcc where it is there: ASSAY_CUDA is AUTO, ON (its absence is an error) or OFF.
#
# nvcc is called for each .cu by hand, without CMake's CUDA language: configuring stays fast, our warnings and
# sanitizers stay with the host's compiler, and what ptxas says of each kernel is kept (cuda/NAME.ptxas) for a test.
set(ASSAY_CUDA AUTO CACHE STRING "GPU kernels: AUTO, ON, OFF")
set(ASSAY_CUDA_ARCHITECTURES "80;90" CACHE STRING "GPU architectures; newer ones get the PTX of the last")

set(ASSAY_HAS_CUDA OFF)
if(ASSAY_CUDA)
  find_program(NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
  if(NVCC)
    get_filename_component(CUDA_ROOT ${NVCC} REALPATH)
    get_filename_component(CUDA_ROOT ${CUDA_ROOT} DIRECTORY)
    get_filename_component(CUDA_ROOT ${CUDA_ROOT} DIRECTORY)
    find_path(CUDA_INCLUDE cublasLt.h HINTS ${CUDA_ROOT}/include ${CUDA_ROOT}/targets/x86_64-linux/include)
    find_library(CUDART_STATIC libcudart_static.a HINTS ${CUDA_ROOT}/lib64 ${CUDA_ROOT}/targets/x86_64-linux/lib)
  endif()
  if(NVCC AND CUDA_INCLUDE AND CUDART_STATIC)
    set(ASSAY_HAS_CUDA ON)
  elseif(NOT ASSAY_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "ASSAY_CUDA is ${ASSAY_CUDA}, and something is missing: nvcc '${NVCC}', cublasLt.h '${CUDA_INCLUDE}', libcudart_static.a '${CUDART_STATIC}'")
  endif()
endif()
message(STATUS "GPU kernels: ${ASSAY_HAS_CUDA}")

# Adds every .cu of a folder to a library.
function(assay_cuda target folder)
  set(gencode "")
  foreach(architecture IN LISTS ASSAY_CUDA_ARCHITECTURES)
    list(APPEND gencode -gencode arch=compute_${architecture},code=sm_${architecture})
    set(last ${architecture})
  endforeach()
  list(APPEND gencode -gencode arch=compute_${last},code=compute_${last})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cu)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/cuda)
  set(position "")
  if(ASSAY_SHARED)
    set(position -Xcompiler -fPIC)
  endif()
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    set(stem ${CMAKE_BINARY_DIR}/cuda/${name})
    # The sampler's doubles are the host's, bit for bit: no fused multiply-adds there.
    set(own "")
    if(name STREQUAL "sample")
      set(own -fmad=false)
    endif()
    add_custom_command(OUTPUT ${stem}.o ${stem}.ptxas
      COMMAND sh -c "\"$@\" 2> ${stem}.ptxas || { cat ${stem}.ptxas >&2; exit 1; }" nvcc
        ${CCACHE} ${NVCC} -std=c++20 -O3 -DASSAY_CUDA -I${CMAKE_SOURCE_DIR} ${gencode} --expt-relaxed-constexpr ${position} ${own}
        -Xptxas -v -MD -MF ${stem}.d -MT cuda/${name}.o -c ${source} -o ${stem}.o
      DEPENDS ${source} DEPFILE ${stem}.d COMMENT "Compiling GPU kernels ${name}.cu" VERBATIM)
    target_sources(${target} PRIVATE ${stem}.o)
    set_source_files_properties(${stem}.o PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  endforeach()
  target_compile_definitions(${target} PUBLIC ASSAY_CUDA)
  target_include_directories(${target} SYSTEM PRIVATE ${CUDA_INCLUDE})
  # The runtime is linked in, and cuBLASLt is loaded when a GPU is opened: the program starts without either.
  target_link_libraries(${target} PRIVATE ${CUDART_STATIC} rt ${CMAKE_DL_LIBS} Threads::Threads)
endfunction()
