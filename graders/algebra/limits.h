// Values of limits and of infinite sums, by numerical analysis: enough digits to tell that two
// answers agree, never a proof.
//
// A limit at a point (or at infinity, by x = 1/t) is the mean of the function over small circles
// around it, where its Laurent coefficients show the singularity to be removable; only analytic
// functions are taken. An infinite sum is accelerated by Levin's u-transform (D. Levin, Int. J.
// Computer Math. B3, 1973), where its terms fall and the result lies where it must.
#pragma once

#include <optional>

#include "graders/algebra/decide.h"
#include "graders/algebra/engines.h"
#include "graders/algebra/node.h"

namespace assay::algebra {

// How far apart, relative to 1 + |value|, two values may be that are called equal.
inline constexpr int kAnalysisDigits = 52;

// Whether a limit or an infinite sum is somewhere in it.
bool HasLimit(const Expr& e);

// Whether both have values that agree to kAnalysisDigits; nothing where one has none that can be
// found in time, or an unknown is left.
std::optional<bool> AgreeAsLimits(const Expr& a, const Expr& b, const Deadline& deadline);

}  // namespace assay::algebra
