# Writes files into a .cc, so that the program needs no file beside it.
#
# assay_embed(OUTPUT NAME PATTERN...): `const std::map<std::string, std::string>& NAMEs()`, from path to text.
function(assay_embed output name)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${ARGN})
  list(SORT files)
  set(entries "")
  foreach(file IN LISTS files)
    file(READ ${CMAKE_SOURCE_DIR}/${file} text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
    string(APPEND entries "      {\"${file}\", R\"~~~(${text})~~~\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT
"// Written by cmake/embed.cmake: the texts of files of the project.
#include <map>
#include <string>

namespace assay {

const std::map<std::string, std::string>& @name@s() {
  static const auto* files = new std::map<std::string, std::string>{
@entries@  };
  return *files;
}

}  // namespace assay
" @ONLY)
endfunction()

# assay_embed_packaged(OUTPUT NAME (KEY PATH)...): the same for files of packages, by the keys given; what is no text
# (a font) is embedded as base64.
function(assay_embed_packaged output name)
  set(entries "")
  set(pairs ${ARGN})
  while(pairs)
    list(POP_FRONT pairs key path)
    if(NOT EXISTS ${path})
      message(FATAL_ERROR "${path} is missing: scripts/packages installs it")
    endif()
    if(path MATCHES "\\.woff2$")
      execute_process(COMMAND base64 -w0 ${path} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    else()
      file(READ ${path} text)
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    string(APPEND entries "      {\"${key}\", R\"~~~(${text})~~~\"},\n")
  endwhile()
  file(CONFIGURE OUTPUT ${output} CONTENT
"// Written by cmake/embed.cmake: the texts of files of packages.
#include <map>
#include <string>

namespace assay {

const std::map<std::string, std::string>& @name@s() {
  static const auto* files = new std::map<std::string, std::string>{
@entries@  };
  return *files;
}

}  // namespace assay
" @ONLY)
endfunction()
