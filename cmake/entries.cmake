# Writes the one table of entries: each .cc placed directly in a plug's folder is listed, none by hand.
#
# graders/multi_word.cc must define `Grader MultiWordGrader()`; a file that does not is a link error naming it.
function(assay_entries target)
  set(kind "")
  set(declarations "")
  set(tables "")
  set(expect "")
  foreach(argument IN LISTS ARGN)
    if(argument STREQUAL "KIND" OR argument STREQUAL "FOLDER")
      set(expect ${argument})
    elseif(expect STREQUAL "KIND")
      set(kind ${argument})
    else()
      file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${argument}/*.cc)
      list(SORT files)
      set(calls "")
      foreach(file IN LISTS files)
        get_filename_component(stem ${file} NAME_WE)
        string(REPLACE "_" ";" words ${stem})
        set(camel "")
        foreach(word IN LISTS words)
          string(SUBSTRING ${word} 0 1 first)
          string(SUBSTRING ${word} 1 -1 rest)
          string(TOUPPER ${first} first)
          string(APPEND camel "${first}${rest}")
        endforeach()
        string(APPEND declarations "${kind} ${camel}${kind}();  // ${argument}/${stem}.cc\n")
        string(APPEND calls "      ${camel}${kind}(),\n")
      endforeach()
      string(APPEND tables
        "const std::vector<${kind}>& ${kind}Entries() {\n"
        "  static const auto* table = new std::vector<${kind}>{\n${calls}  };\n"
        "  return *table;\n}\n\n")
    endif()
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/entries.cc CONTENT
"// Written by cmake/entries.cmake: the table of entries found in the plugs' folders.
#include \"harness/registry.h\"

namespace assay {

@declarations@
@tables@}  // namespace assay
" @ONLY)
  add_library(${target} OBJECT ${CMAKE_BINARY_DIR}/entries.cc)
endfunction()
