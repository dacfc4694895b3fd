# Copies the plugs' folders to TREE, applies DIFF there and lets cmake/entries.cmake write TREE/build/entries.cc.
file(REMOVE_RECURSE ${TREE})
file(MAKE_DIRECTORY ${TREE})
foreach(folder IN ITEMS graders inference reports/metrics commands cmake tasks datasets)
  if(EXISTS ${SOURCE}/${folder})
    get_filename_component(parent ${folder} DIRECTORY)
    file(COPY ${SOURCE}/${folder} DESTINATION ${TREE}/${parent})
  endif()
endforeach()
# Outside any repository: inside one, git would look for the paths at its root.
get_filename_component(above ${TREE} DIRECTORY)
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env GIT_CEILING_DIRECTORIES=${above} ${GIT} apply ${DIFF}
  WORKING_DIRECTORY ${TREE} COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${TREE}/CMakeLists.txt
"cmake_minimum_required(VERSION 3.25)
project(extending NONE)
function(add_library)  # only the table is wanted here
endfunction()
include(cmake/entries.cmake)
assay_entries(entries KIND Grader FOLDER graders KIND Backend FOLDER inference
              KIND Metric FOLDER reports/metrics KIND Command FOLDER commands)
")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${TREE} -B ${TREE}/build OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
