// The names that a template reads from outside: a misspelt field renders as nothing, and nobody
// would see it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Sorted, without repeats. Left out: names that the template itself binds (set, for, macro), those
// it tests (`x is defined`) or gives a default, the template language's own. A reading of the
// tokens, not of the grammar: never an error.
std::vector<std::string> NamesReadBy(std::string_view source);

}  // namespace assay
