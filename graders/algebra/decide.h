// Decides whether two values are the same number or the same expression, in tiers, each of which
// either proves, refutes or passes on.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "graders/algebra/node.h"

namespace assay::algebra {

enum class Finding {
  kEqual,      // proved
  kNumeric,    // equal to `digits` digits, and no tier could prove or refute it
  kRounded,    // equal by a rounding rule that the task switched on, named in `note`
  kDifferent,  // proved, or different in kind
  kUndecided,
  kUndefined,  // a side has no value
};

// Where a verdict came from.
enum class Tier {
  kNone,
  kIdentity,   // the same tree
  kExact,      // rational arithmetic
  kBalls,      // interval arithmetic
  kCalcium,    // exact arithmetic in fields
  kAlgebraic,  // minimal polynomials
  kPoints,     // values of the unknowns
  kIntegers,   // integer values of the unknowns
  kGeneric,    // Calcium at algebraically independent points
  kEquation,   // up to a constant factor
  kSets,
  kMatching,  // of lists and sets
  kUnits,
  kText,
  kStructure,  // different in kind
  kRounding,
};
std::string_view TierName(Tier tier);

struct Decision {
  Finding finding = Finding::kUndecided;
  Tier tier = Tier::kNone;
  int digits = 0;
  std::string note;
};

inline constexpr int kEnoughDigits = 50;

inline bool Holds(const Decision& decision) {
  return decision.finding == Finding::kEqual || decision.finding == Finding::kRounded ||
         (decision.finding == Finding::kNumeric && decision.digits >= kEnoughDigits);
}

// No new tier begins after it. Counts this thread's own work, so that a busy machine changes no
// verdict.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now);
  bool Passed() const;

 private:
  std::chrono::nanoseconds at_;
};

// Both must be values (IsValue), but for percent and degree signs inside.
Decision CompareValues(const Expr& a, const Expr& b, const Deadline& deadline);

// The sign of a real constant: -1, 0 or 1, or nothing where it is not known.
std::optional<int> SignOfConstant(const Expr& value, const Deadline& deadline);
// The order of two real constants: negative, 0, positive.
std::optional<int> Order(const Expr& a, const Expr& b, const Deadline& deadline);
// Whether |a - b| <= bound, certainly; for constants.
bool WithinDistance(const Expr& a, const Expr& b, const mpq_class& bound);
// Whether there are no unknowns.
bool IsConstant(const Expr& e);
// A decimal for people: "1.41421356"; "" where there is none.
std::string Approximation(const Expr& value, int digits);

// Whether `p` is a constant times `q`, and the constant is positive where that is asked for.
Decision Proportional(const Expr& p, const Expr& q, bool positive, const Deadline& deadline);

// Names of the unknowns, sorted; the keys of SymbolKey.
std::vector<std::string> UnknownsOf(const Expr& e);

}  // namespace assay::algebra
