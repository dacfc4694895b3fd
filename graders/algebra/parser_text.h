// What the texts of tokens are: numbers, and words that are no mathematics.
#pragma once

#include <gmpxx.h>

#include <string>
#include <string_view>

namespace assay::algebra {

bool AllDigits(std::string_view text);
bool AllLetters(std::string_view text);
bool AllUpper(std::string_view text);
mpq_class PowerOfTen(size_t exponent);
// Of digits. (The constructor from a string would throw where the lexer let something else
// through.)
mpz_class IntegerOf(const std::string& digits);
// "12.50" without an exponent.
mpq_class DecimalValue(std::string_view digits);
// "0.58(3)".
mpq_class RepeatingValue(std::string_view text);
// Words that are prose, not products of letters.
bool LooksLikeProse(std::string_view word);
// Words inside the conditions of a piecewise function that say nothing.
bool IsFillerWord(std::string_view word);

}  // namespace assay::algebra
