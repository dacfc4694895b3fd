# Writes the revision that a build is of into a .cc; run at every build (cmake -P), written only where it changed.
#
# SOURCE, OUTPUT: `const char kRevision[]`, the commit, with "+changes" where tracked files differ from it; "" outside a
# checkout.
set(git git -c safe.directory=* -C ${SOURCE})
execute_process(COMMAND ${git} rev-parse HEAD OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
  RESULT_VARIABLE failed)
if(failed)
  set(revision "")
else()
  execute_process(COMMAND ${git} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    string(APPEND revision "+changes")
  endif()
endif()
set(text "// Written by cmake/revision.cmake: the commit that this build is of.
namespace assay {
extern const char kRevision[];
const char kRevision[] = \"${revision}\";
}  // namespace assay
")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
