# Reads headers of third parties once for many files.
#
# Our own headers are never among them: a change of theirs would compile everything anew.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(ASSAY_PCH OFF)
endif()

# What ccache needs to know of a precompiled header; without it, it keeps nothing of the files that use one.
function(assay_precompiled_kept target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  if(CCACHE)
    set_target_properties(${target} PROPERTIES
      CXX_COMPILER_LAUNCHER "env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CCACHE}")
  endif()
endfunction()

# assay_precompiled(TARGET HEADER...): a target that carries these headers precompiled.
function(assay_precompiled target)
  set(source ${CMAKE_BINARY_DIR}/${target}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Written by cmake/precompiled.cmake: carries precompiled headers.\n")
  add_library(${target} OBJECT ${source})
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ${ASSAY_SHARED})
  target_link_libraries(${target} PRIVATE absl::statusor absl::strings absl::str_format Threads::Threads)
  target_compile_options(${target} PRIVATE -pthread)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  assay_precompiled_kept(${target})
endfunction()

# assay_reads(TARGET FROM): the files of a target read FROM's; both must be compiled with the same options.
function(assay_reads target from)
  target_precompile_headers(${target} REUSE_FROM ${from})
  assay_precompiled_kept(${target})
endfunction()
