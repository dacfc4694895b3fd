// Plain decimal numbers as text, of any length: reading and one spelling for each value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay {

// "073" and "+73.0" are "73"; "-0.0" is "0"; ".50" is "0.5"; "1,234" and "1{,}234" are "1234".
// Nothing where `text` is not just a sign, digits in groups of three or ungrouped, and decimals.
std::optional<std::string> CanonicalDecimal(std::string_view text);

// Blanks at the ends gone, runs of blanks one space, ASCII letters small, one final period or pair
// of $...$ or quotation marks around the whole gone.
std::string NormalText(std::string_view text, bool keep_case = false);

}  // namespace assay
