// Values in words: "twenty-one", "two thirds", "1 hour 30 minutes", "25 degrees celsius".
//
// Pure functions on words as FoldWords() leaves them: small letters, single blanks, no articles.
#pragma once

#include <optional>
#include <string_view>

#include "graders/algebra/node.h"

namespace assay::algebra {

// The value that the words name and nothing else, or null: a number, a fraction, a quantity
// ("three apples"), a measure in several units of one kind, the larger first, in the last of them.
Expr ValueInWords(std::string_view words);

// Whether that is a measure in several units: then a bare number says too little.
bool IsMeasureInParts(std::string_view words);

// Whether the words hold a word for a number: then they are not known to differ from one.
bool MayNameNumber(std::string_view words);

// "12th", "21st", "12^{th}", "12^{\text{th}}": the number, where that is all of the text.
std::optional<mpq_class> OrdinalNumber(std::string_view text);

}  // namespace assay::algebra
