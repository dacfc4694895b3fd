// Names and equations: "x = 3" and 3, "y = 2x" and "2x - y = 0".
#include "graders/algebra/comparer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "graders/algebra/exact.h"

namespace assay::algebra {
namespace {

bool IsName(const Expr& e) {
  if (e->kind == Kind::kSymbol) return true;
  // "AB = 5": a segment by its ends.
  if (e->kind == Kind::kMul && e->args.size() <= 4)
    return std::all_of(e->args.begin(), e->args.end(), [](const Expr& letter) {
      return letter->kind == Kind::kSymbol && letter->text[0] >= 'A' && letter->text[0] <= 'Z';
    });
  if (e->kind == Kind::kCall) return e->text.substr(0, 6) == "apply:" || IsUnknown(*e);
  if (e->kind == Kind::kRatio || (e->kind == Kind::kTuple && e->text == "()"))
    return std::all_of(e->args.begin(), e->args.end(), IsName);
  return false;
}

}  // namespace

// A function letter with letters as arguments is a definition: f(x) = ...
bool IsFunctionTarget(const Expr& e) {
  return e->kind == Kind::kCall && e->text.substr(0, 6) == "apply:";
}

bool Mentions(const Expr& e, const Expr& name) {
  const std::string text = CanonicalText(name);
  if (CanonicalText(e) == text) return true;
  return std::any_of(e->args.begin(), e->args.end(),
                     [&](const Expr& arg) { return Mentions(arg, name); });
}

bool IsEqualityChain(const Expr& e) {
  return e->kind == Kind::kRelation && e->text.find_first_not_of("=~%") == std::string::npos;
}

// The chain read as a name with its values; nothing where it is an equation.
std::optional<Named> ReadNamed(const Expr& e) {
  if (!IsEqualityChain(e)) return std::nullopt;
  Named named;
  std::vector<Expr> operands = e->args;
  std::string links = e->text;
  if (operands.size() == 2 && !IsName(operands[0]) && IsName(operands[1]) &&
      operands[1]->kind == Kind::kSymbol) {
    std::swap(operands[0], operands[1]);
  }
  if (IsName(operands[0])) {
    for (size_t i = 1; i < operands.size(); ++i)
      if (Mentions(operands[i], operands[0])) return std::nullopt;
    named.target = operands[0];
    operands.erase(operands.begin());
    links.erase(0, 1);
    // "f(x) = y = 2x + 3": further names lead to the value.
    while (operands.size() > 1 && operands[0]->kind == Kind::kSymbol && !IsConstant(operands[0]) &&
           links[0] == '=') {
      operands.erase(operands.begin());
      links.erase(0, 1);
    }
  } else if (!std::all_of(operands.begin(), operands.end(),
                          [](const Expr& value) { return IsPlain(value) && IsConstant(value); })) {
    // "angle ABC" and "dM/dt" are names; any other left side makes an equation.
    return std::nullopt;
  }
  named.values = std::move(operands);
  named.links = std::move(links);
  return named;
}

bool Comparer::SameTarget(const Expr& a, const Expr& b) {
  if (CanonicalText(a) == CanonicalText(b)) return true;
  // f(x) and g(x), or y: what a function is called is no part of the answer.
  if (IsFunctionTarget(a) && IsFunctionTarget(b)) {
    if (a->args.size() != b->args.size()) return false;
    for (size_t i = 0; i < a->args.size(); ++i)
      if (a->args[i]->kind != Kind::kSymbol ||
          CanonicalText(a->args[i]) != CanonicalText(b->args[i]))
        return false;
    return a->text.find('^') == std::string::npos && b->text.find('^') == std::string::npos &&
           a->text.find('\'') == std::string::npos && b->text.find('\'') == std::string::npos;
  }
  const auto is_y = [](const Expr& e) { return e->kind == Kind::kSymbol && e->text == "y"; };
  return (IsFunctionTarget(a) && is_y(b)) || (is_y(a) && IsFunctionTarget(b));
}

// f(t) = 2t in the unknown of f(x) = 2x; nothing where they are the same or it is no definition
// by one letter.
std::optional<Named> Comparer::Renamed(const Named& answer, const Named& reference) {
  const auto letter = [](const Named& named) -> Expr {
    const bool one = named.target && IsFunctionTarget(named.target) &&
                     named.target->args.size() == 1 && named.target->args[0]->kind == Kind::kSymbol;
    return one ? named.target->args[0] : nullptr;
  };
  const Expr from = letter(answer);
  const Expr to = letter(reference);
  if (!from || !to || from->text == to->text) return std::nullopt;
  for (const Expr& value : answer.values)
    if (Mentions(value, to)) return std::nullopt;
  Named renamed = answer;
  renamed.target = Substitute(answer.target, from->text, to);
  for (Expr& value : renamed.values) value = Substitute(value, from->text, to);
  return renamed;
}

Decision Comparer::CompareStatements(const Expr& g, const Expr& p) {
  const auto left = ReadNamed(g);
  const auto right = ReadNamed(p);
  if (IsEqualityChain(g) && IsEqualityChain(p)) {
    if (left && right) {
      if (const auto renamed = Renamed(*right, *left)) return CompareNamed(g, *left, p, *renamed);
      return CompareNamed(g, *left, p, *right);
    }
    return CompareEquations(g, p);
  }
  const auto& named = IsEqualityChain(g) ? left : right;
  const Expr& other = IsEqualityChain(g) ? p : g;
  if (!named) {
    // A system of one equation, or a list of solutions to it.
    if (IsCollection(other) && other->args.size() == 1)
      return IsEqualityChain(g) ? Compare(g, other->args[0]) : Compare(other->args[0], p);
    return Different(Tier::kStructure, "an unsolved relation against a value");
  }
  return CompareValuesOf(*named, other, IsEqualityChain(g));
}

// Whether the links of a chain hold, so that every part of it is the answer.
bool Comparer::Consistent(const Named& named) {
  for (size_t i = 0; i + 1 < named.values.size(); ++i) {
    if (named.links[i] == kApproximately) continue;
    if (!IsPlain(named.values[i]) || !IsPlain(named.values[i + 1])) continue;
    if (CompareValues(named.values[i], named.values[i + 1], deadline_).finding ==
        Finding::kDifferent)
      return false;
  }
  return true;
}

// "1+1 = 3": no chain of rounded values, but wrong.
bool Comparer::Contradicts(const Named& named) {
  for (size_t i = 0; i + 1 < named.values.size(); ++i) {
    const Expr& value = named.values[i + 1];
    if (!IsPlain(named.values[i]) || !IsPlain(value)) continue;
    const mpq_class bound = ApproximateSize(value) / 50 + mpq_class(1, 1000);
    const Finding finding = CompareValues(named.values[i], value, deadline_).finding;
    if (finding == Finding::kDifferent && !WithinDistance(named.values[i], value, bound))
      return true;
  }
  return false;
}

Decision Comparer::CompareValuesOf(const Named& named, const Expr& other, bool named_is_reference) {
  const auto compare = [&](const Expr& value) {
    return named_is_reference ? Compare(value, other) : Compare(other, value);
  };
  if (!named.target && Contradicts(named))
    return Different(Tier::kStructure, "an equality that does not hold");
  Decision last = compare(named.values.back());
  if (Holds(last) || named.values.size() == 1 || !Consistent(named)) return last;
  for (size_t i = 0; i + 1 < named.values.size(); ++i) {
    const Decision decision = compare(named.values[i]);
    if (Holds(decision)) return decision;
  }
  return last;
}

Decision Comparer::CompareNamed(const Expr& g, const Named& left, const Expr& p,
                                const Named& right) {
  if (left.target && right.target && !SameTarget(left.target, right.target)) {
    // The same line, solved for another unknown.
    if (IsEquationInSeveral(g) && IsEquationInSeveral(p)) return CompareEquations(g, p);
    return Different(Tier::kStructure, "different unknowns");
  }
  if (!right.target && Contradicts(right))
    return Different(Tier::kStructure, "an equality that does not hold");
  const Decision direct = CompareValuesOf(left, right.values.back(), true);
  if (Holds(direct) || right.values.size() == 1 || !Consistent(right)) return direct;
  for (size_t i = 0; i + 1 < right.values.size(); ++i) {
    const Decision decision = CompareValuesOf(left, right.values[i], true);
    if (Holds(decision)) return decision;
  }
  return direct;
}

bool Comparer::IsSolved(const Expr& e) {
  const auto named = ReadNamed(e);
  return named && IsPlain(named->values.back()) && IsConstant(named->values.back());
}

Decision Comparer::CompareEquations(const Expr& g, const Expr& p) {
  if (!IsEquation(g) || !IsEquation(p)) {
    if (g->args.size() == p->args.size() && g->text == p->text) return CompareInOrder(g, p);
    return Undecided("chains of equations");
  }
  const bool answer_unsolved = !IsSolved(p) && IsSolved(g);
  const bool reference_unsolved = !IsSolved(g) && IsSolved(p);
  if (answer_unsolved || (policy_.symmetric && reference_unsolved))
    return Different(Tier::kStructure, "an unsolved equation against a solved one");
  const Expr left = Difference(g);
  const Expr right = Difference(p);
  if (UnknownsOf(left) != UnknownsOf(right))
    return Different(Tier::kEquation, "different unknowns");
  if (reference_unsolved) return CompareWithSolution(left, right, p);
  Decision decision = Proportional(left, right, false, deadline_);
  // y = 6/x is xy = 6: without the denominators.
  if (decision.finding == Finding::kDifferent && (HasDenominator(left) || HasDenominator(right)))
    decision = Proportional(Numerator(left), Numerator(right), false, deadline_);
  if (decision.finding == Finding::kDifferent)
    decision.note = "not the same equation up to a constant factor";
  return decision;
}

// log_2(x) = 3 against x = 8: refuted where it is no solution. Else the same equation up to a
// factor, or one solution of perhaps several.
Decision Comparer::CompareWithSolution(const Expr& reference, const Expr& answer,
                                       const Expr& solved) {
  const auto named = ReadNamed(solved);
  if (named && named->target && named->target->kind == Kind::kSymbol) {
    const Expr residual = Substitute(reference, named->target->text, named->values.back());
    const Decision zero = CompareValues(residual, MakeInteger(0), deadline_);
    if (zero.finding == Finding::kDifferent)
      return Different(Tier::kEquation, "no solution of the reference's equation");
  }
  Decision decision = Proportional(reference, answer, false, deadline_);
  if (decision.finding == Finding::kDifferent)
    return Undecided("a solution of the reference's equation, perhaps not the only one");
  return decision;
}

// The terms of a sum over their common denominator, which is the product of the distinct ones.
Expr Comparer::Numerator(const Expr& sum) {
  const std::vector<Expr> terms = sum->kind == Kind::kAdd ? sum->args : std::vector<Expr>{sum};
  std::map<std::string, Expr> denominators;
  for (const Expr& term : terms) {
    const Expr quotient = term->kind == Kind::kNeg ? term->args[0] : term;
    if (quotient->kind == Kind::kDiv && !IsConstant(quotient->args[1]))
      denominators[CanonicalText(quotient->args[1])] = quotient->args[1];
  }
  std::vector<Expr> cleared;
  for (const Expr& term : terms) {
    const bool negative = term->kind == Kind::kNeg;
    const Expr quotient = negative ? term->args[0] : term;
    const bool divided = quotient->kind == Kind::kDiv && !IsConstant(quotient->args[1]);
    const std::string own = divided ? CanonicalText(quotient->args[1]) : "";
    std::vector<Expr> factors = {divided ? quotient->args[0] : quotient};
    for (const auto& [text, denominator] : denominators)
      if (text != own) factors.push_back(denominator);
    const Expr product = MakeProduct(std::move(factors));
    cleared.push_back(negative ? Negate(product) : product);
  }
  return MakeSum(std::move(cleared));
}

Decision Comparer::CompareInOrder(const Expr& g, const Expr& p) {
  Decision total = Equal(Tier::kMatching);
  for (size_t i = 0; i < g->args.size(); ++i) {
    total = Both(total, Compare(g->args[i], p->args[i]));
    if (total.finding == Finding::kDifferent) return total;
  }
  return total;
}

// The weaker of two.
Decision Comparer::Both(const Decision& a, const Decision& b) {
  const auto rank = [](const Decision& d) {
    switch (d.finding) {
      case Finding::kDifferent:
        return 5;
      case Finding::kUndefined:
        return 4;
      case Finding::kUndecided:
        return 3;
      case Finding::kNumeric:
        return 2;
      case Finding::kRounded:
        return 1;
      case Finding::kEqual:
        return 0;
    }
    return 5;
  };
  Decision worse = rank(a) >= rank(b) ? a : b;
  if (a.finding == Finding::kNumeric && b.finding == Finding::kNumeric)
    worse.digits = std::min(a.digits, b.digits);
  return worse;
}

}  // namespace assay::algebra
