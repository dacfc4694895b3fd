// Trigonometric, hyperbolic and exponential functions of the unknowns as rational functions of new
// unknowns, so that identities between them can be proved.
#pragma once

#include <optional>
#include <utility>

#include "graders/algebra/node.h"

namespace assay::algebra {

// Both sides with e^{iu}, e^{u} and 2^{u} for every part u of an argument replaced by powers of a
// symbol of its own: sin(u) is (z - 1/z)/(2i). Where the results are the same rational function of
// the symbols, the sides are the same function, because no relation between the symbols was used;
// where they differ, nothing is known. Nothing where a side is no rational function of such terms,
// or where the result would be large.
std::optional<std::pair<Expr, Expr>> AsRationalFunctions(const Expr& a, const Expr& b);

}  // namespace assay::algebra
