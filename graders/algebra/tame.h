// Which pairs are so plain that comparing them cannot run away: those need no worker process.
#pragma once

#include <string_view>

namespace assay::algebra {

// Whether Check on these two texts is a few steps of parsing and small integer arithmetic, whatever
// they say: short texts of digits, decimals, simple fractions, intervals and lists of them; or the
// same text twice with no power tower, factorial, series, sign choice or function in it. Says
// nothing about the verdict, and reads each byte once.
bool IsTame(std::string_view reference, std::string_view answer);

}  // namespace assay::algebra
