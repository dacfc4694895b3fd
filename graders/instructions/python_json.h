// Whether Python's json.loads takes a text: NaN and lone surrogates yes, comments and BOMs no.
#pragma once

#include <string_view>

namespace assay::instructions {

// `text` must be valid UTF-8. Nesting beyond 900 is refused, as CPython's recursion limit does.
bool PythonReadsAsJson(std::string_view text);

}  // namespace assay::instructions
