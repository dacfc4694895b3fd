// Sets of real numbers as unions of intervals, and reading them from intervals, unions and
// inequalities in one unknown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graders/algebra/decide.h"
#include "graders/algebra/node.h"

namespace assay::algebra {

// One interval; a null end is infinite. A point is closed on both ends with equal ends.
struct Piece {
  Expr low;
  Expr high;
  bool low_closed = false;
  bool high_closed = false;
};

struct RealSet {
  std::vector<Piece> pieces;  // sorted and disjoint, with gaps between, once normalised
  std::string variable;       // whose values these are; "" where none was named
  bool solved = true;         // false: it had to be solved for its variable
};

// Nothing: not a set of reals that can be read.
std::optional<RealSet> ReadRealSet(const Expr& e, const Deadline& deadline);

// Members of both, and of `a` but not `b`; nothing where ends cannot be ordered.
std::optional<RealSet> IntersectionOf(const RealSet& a, const RealSet& b, const Deadline& deadline);
std::optional<RealSet> DifferenceOf(const RealSet& a, const RealSet& b, const Deadline& deadline);

// Whether both are the same set, whatever their variables.
Decision CompareRealSets(const RealSet& a, const RealSet& b, const Deadline& deadline);

std::string Readable(const RealSet& set);

}  // namespace assay::algebra
