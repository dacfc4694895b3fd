// Compares two answers of any kind: values, sets, lists, statements, words.
#pragma once

#include <optional>
#include <string>

#include "graders/algebra/decide.h"
#include "graders/algebra/node.h"

namespace assay::algebra {

// What a task may ask for. The defaults are those of MATH-family tasks.
struct Policy {
  // 28% and 28 are the same answer (never 28 and 2800, or 0.28).
  bool percent_equals_bare = true;
  // A reference that is a decimal of three significant digits or more equals an exact answer that
  // rounds to it.
  bool round_to_reference = true;
  // An answer of 15 to 17 digits equals an exact reference that it is the double of.
  bool accept_double = true;
  // An answer within this of the reference; unset: no tolerance.
  std::optional<double> relative_tolerance;
  std::optional<double> absolute_tolerance;
  std::optional<int> significant_digits;  // both rounded to so many digits
  // Neither side is the reference: no rounding, and an unsolved relation equals no solved one in
  // either order.
  bool symmetric = false;
};

Decision Compare(const Expr& reference, const Expr& answer, const Policy& policy,
                 const Deadline& deadline);

// Lifts units out of sums, expands ± into lists, multiplies matrices by scalars, and reads words
// that name sets ("no solution").
Expr Normalise(const Expr& e);

}  // namespace assay::algebra
