// Plain decimal numbers as text, of any length: reading and one spelling for each value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay {

// "073" and "+73.0" are "73"; "-0.0" is "0"; ".50" is "0.5"; "1,234" and "1{,}234" are "1234".
// Nothing where `text` is not just a sign, digits in groups of three or ungrouped, and decimals.
std::optional<std::string> CanonicalDecimal(std::string_view text);

// CanonicalDecimal, or of one times a power of ten: "5e-2" and "5\times10^{-2}" are "0.05". Nothing
// for a power beyond 1000 places.
std::optional<std::string> CanonicalNumber(std::string_view text);

// Blanks at the ends gone, runs of blanks one space, letters small (Unicode's full case folding)
// and composed, one final period gone, and what stands around the whole: $...$, \(...\), quotation
// marks, \text{...} and its kin. Bytes that are no UTF-8 keep all but ASCII as it is.
std::string NormalText(std::string_view text, bool keep_case = false);

}  // namespace assay
