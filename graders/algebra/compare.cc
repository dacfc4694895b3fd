// The order in which kinds are tried; values, signs, congruences and families.
#include "graders/algebra/compare.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "graders/algebra/comparer.h"
#include "graders/algebra/exact.h"
#include "harness/text.h"

namespace assay::algebra {

Decision Comparer::Compare(const Expr& g, const Expr& p) {
  if (++calls_ > 20000) return Undecided("too many comparisons");
  if (CanonicalText(g) == CanonicalText(p) && !IsPlain(g)) return SameTree(g);
  if (HasKind(g, Kind::kPlusMinus) || HasKind(p, Kind::kPlusMinus)) return CompareSigned(g, p);
  if (g->kind == Kind::kModulo || p->kind == Kind::kModulo) return CompareModulo(g, p);
  if (g->kind == Kind::kBase || p->kind == Kind::kBase) return CompareBases(g, p);
  if (const auto families = CompareFamilies(g, p)) return *families;
  if (IsEqualityChain(g) || IsEqualityChain(p)) return CompareStatements(g, p);
  if (IsCollection(g) || IsCollection(p)) return CompareCollections(g, p);
  if (IsWrapped(g) || IsWrapped(p)) return CompareWrapped(g, p);
  if (g->kind == Kind::kText || p->kind == Kind::kText) return CompareTexts(g, p);
  if (g->kind == Kind::kRatio || p->kind == Kind::kRatio) return CompareRatios(g, p);
  if (g->kind == Kind::kPiecewise || p->kind == Kind::kPiecewise) return CompareCases(g, p);
  if (IsVector(g) && IsVector(p)) return CompareVectors(g, p);
  if (IsMatrix(g) || IsMatrix(p)) return CompareMatrices(g, p);
  if (IsPlain(g) && IsPlain(p)) return CompareLeaves(g, p);
  if (const auto vectors = CompareUnitVectors(g, p)) return *vectors;
  if (IsLabelledPoint(g) && p->kind == Kind::kTuple) return Compare(g->args[1], p);
  if (IsLabelledPoint(p) && g->kind == Kind::kTuple) return Compare(g, p->args[1]);
  if (g->kind == Kind::kTuple && p->kind == Kind::kTuple) return CompareTuples(g, p);
  return CompareSets(g, p);
}

// "A(-3, 4)": a point and its name.
bool Comparer::IsLabelledPoint(const Expr& e) {
  return e->kind == Kind::kMul && e->args.size() == 2 && e->args[0]->kind == Kind::kSymbol &&
         e->args[0]->text.size() == 1 && e->args[0]->text[0] >= 'A' && e->args[0]->text[0] <= 'Z' &&
         e->args[1]->kind == Kind::kTuple && e->args[1]->text == "()";
}

// The same tree is the same answer, unless it has no value.
Decision Comparer::SameTree(const Expr& e) {
  std::vector<Expr> stack = {e};
  while (!stack.empty()) {
    const Expr next = stack.back();
    stack.pop_back();
    if (IsPlain(next)) {
      const Decision decision = CompareValues(next, next, deadline_);
      if (decision.finding == Finding::kUndefined) return decision;
      continue;
    }
    stack.insert(stack.end(), next->args.begin(), next->args.end());
  }
  return Equal(Tier::kIdentity);
}

// --- leaves ---

Decision Comparer::CompareLeaves(const Expr& g, const Expr& p) {
  Decision decision = CompareValues(g, p, deadline_);
  if (decision.finding != Finding::kDifferent) return decision;
  if (MayBePartOfAngle(g, p)) return Undecided("an angle by one letter and by three");
  if (AgreeAtWholeNumbers(g, p)) return Undecided("equal where the unknown is a whole number");
  if (!policy_.symmetric) {
    if (const auto rounded = Rounded(g, p)) return *rounded;
  }
  return decision;
}

// \angle B may be \angle ABC.
bool Comparer::MayBePartOfAngle(const Expr& g, const Expr& p) {
  constexpr std::string_view kAngle = "angle ";
  if (g->kind != Kind::kSymbol || p->kind != Kind::kSymbol) return false;
  if (!g->text.starts_with(kAngle) || !p->text.starts_with(kAngle)) return false;
  const std::string a = g->text.substr(kAngle.size()), b = p->text.substr(kAngle.size());
  return (a.size() == 1 && b.size() == 3 && a[0] == b[1]) ||
         (b.size() == 1 && a.size() == 3 && b[0] == a[1]);
}

// \sin n\pi is 0 where n counts, as n, m and k do in an angle.
bool Comparer::AgreeAtWholeNumbers(const Expr& g, const Expr& p) {
  const auto turns = [](const Node& n) {
    if (n.kind != Kind::kCall || n.text.size() < 3) return false;
    static const std::set<std::string_view> circular = {"sin", "cos", "tan", "cot", "sec", "csc"};
    return circular.count(n.text) > 0 && Any(n.args[0], [](const Node& inner) {
             return inner.kind == Kind::kConstant && inner.text == "pi";
           });
  };
  if (!Any(g, turns) && !Any(p, turns)) return false;
  const std::vector<std::string> unknowns = UnknownsOf(MakeSum({g, p}));
  std::string counter;
  for (const std::string_view name : {"n", "m", "k"}) {
    const Expr letter = MakeSymbol(name);
    if (Mentions(g, letter) || Mentions(p, letter)) {
      if (!counter.empty()) return false;
      counter = name;
    }
  }
  if (counter.empty() || unknowns.empty() || unknowns.size() > 2) return false;
  for (long value = -3; value <= 6; ++value) {
    const Expr at = MakeInteger(value);
    const Decision decision =
        CompareValues(Substitute(g, counter, at), Substitute(p, counter, at), deadline_);
    if (!Holds(decision) && decision.finding != Finding::kUndefined) return false;
  }
  return true;
}

bool Comparer::IsDecimal(const Expr& e) {
  if (e->kind == Kind::kNeg) return IsDecimal(e->args[0]);
  return e->kind == Kind::kNumber && !e->text.empty();
}

int Comparer::Places(const std::string& text) {
  const size_t point = text.find('.');
  const size_t end = text.find_first_of("eE");
  if (point == std::string::npos) return 0;
  return static_cast<int>((end == std::string::npos ? text.size() : end) - point - 1);
}

int Comparer::SignificantDigits(const std::string& text) {
  int count = 0;
  bool leading = true;
  for (const char c : text.substr(0, text.find_first_of("eE"))) {
    if (c < '0' || c > '9') continue;
    if (c != '0') leading = false;
    if (!leading) ++count;
  }
  return count;
}

mpq_class Comparer::TenToMinus(int places) {
  mpz_class power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, std::abs(places));
  return places >= 0 ? mpq_class(1, power) : mpq_class(power);
}

// An exact value whose decimals never end: 100/3, √2.
bool Comparer::NeverEnds(const Expr& e) {
  if (!IsConstant(e) || IsDecimal(e)) return false;
  const ExactResult exact = ExactValue(e);
  if (exact.status != EvalStatus::kValue) return true;
  mpz_class below = exact.value.get_den();
  for (const unsigned long prime : {2ul, 5ul})
    while (mpz_divisible_ui_p(below.get_mpz_t(), prime)) below /= prime;
  return below != 1;
}

std::optional<Decision> Comparer::Rounded(const Expr& g, const Expr& p) {
  const auto named = [](std::string rule) {
    return Decision{Finding::kRounded, Tier::kRounding, 0, std::move(rule)};
  };
  if (!IsConstant(g) || !IsConstant(p)) return std::nullopt;
  if (policy_.round_to_reference && IsDecimal(g) && NeverEnds(p)) {
    const std::string digits = Digits(g);
    if (digits.find_first_of("eE") == std::string::npos && SignificantDigits(digits) >= 3 &&
        WithinDistance(g, p, TenToMinus(Places(digits)) / 2))
      return named("the answer rounds to the reference's digits");
  }
  if (policy_.accept_double && IsDecimal(p) && NeverEnds(g)) {
    const int digits = SignificantDigits(Digits(p));
    const ExactResult value = ExactValue(p);
    if (digits >= 15 && digits <= 17 && value.status == EvalStatus::kValue &&
        WithinDistance(g, p, abs(value.value) * TenToMinus(digits - 1) * 5))
      return named("the answer is the reference in double precision");
  }
  const ExactResult reference = ExactValue(g);
  if (policy_.absolute_tolerance && WithinDistance(g, p, mpq_class(*policy_.absolute_tolerance)))
    return named("within the absolute tolerance");
  if (policy_.relative_tolerance) {
    mpq_class size = reference.status == EvalStatus::kValue ? mpq_class(abs(reference.value))
                                                            : ApproximateSize(g);
    if (size > 0 && WithinDistance(g, p, size * mpq_class(*policy_.relative_tolerance)))
      return named("within the relative tolerance");
  }
  if (policy_.significant_digits && SameDigits(g, p, *policy_.significant_digits))
    return named("the same significant digits");
  return std::nullopt;
}

mpq_class Comparer::ApproximateSize(const Expr& e) {
  const auto value = ParseDouble(Approximation(e, 15));
  return value && std::isfinite(*value) ? mpq_class(std::fabs(*value)) : mpq_class(0);
}

bool Comparer::SameDigits(const Expr& g, const Expr& p, int digits) {
  const mpq_class a = ApproximateSize(g);
  if (a == 0 || digits < 1 || digits > 15) return false;
  const int magnitude = static_cast<int>(std::floor(std::log10(a.get_d())));
  return WithinDistance(g, p, TenToMinus(digits - 1 - magnitude) / 2);
}

// --- ± ---

Decision Comparer::CompareSigned(const Expr& g, const Expr& p) {
  const auto left = SignedItems(g);
  const auto right = SignedItems(p);
  if (!left || !right) return Undecided("too many signs");
  // x^2 = 1 against x = ±1: solving is the other's work.
  const auto unsolved = [](const Expr& e) { return IsEqualityChain(e) && !ReadNamed(e); };
  if (unsolved(g) != unsolved(p)) {
    if (unsolved(p) || policy_.symmetric)
      return Different(Tier::kStructure, "an unsolved equation against a solved one");
    return Undecided("an unsolved equation as the reference");
  }
  return Match(*left, *right, HasSet(g) || HasSet(p));
}

// The answers that a ± stands for; the parts of a list or set each by itself.
std::optional<std::vector<Expr>> Comparer::SignedItems(const Expr& e) {
  if (e->kind == Kind::kList || e->kind == Kind::kSet) return ExpandSigns(WithoutNames(e->args));
  if (const auto named = ReadNamed(e)) return ExpandSigns({named->values.back()});
  return ExpandSigns({e});
}

// --- congruences and bases ---

Decision Comparer::CompareModulo(const Expr& g, const Expr& p) {
  if (g->kind == Kind::kModulo && p->kind == Kind::kModulo) {
    Decision modulus = Compare(g->args[1], p->args[1]);
    if (!Holds(modulus)) return modulus;
    Decision same = Compare(g->args[0], p->args[0]);
    if (Holds(same)) return same;
    return CompareResidues(g, p, same);
  }
  // "9" and "9 (mod 11)".
  const Expr& with = g->kind == Kind::kModulo ? g->args[0] : p->args[0];
  const Expr& modulus = g->kind == Kind::kModulo ? g->args[1] : p->args[1];
  if (const auto family = CompareWithFamily(with, modulus, g->kind == Kind::kModulo ? p : g))
    return *family;
  if (with->kind == Kind::kRelation) {
    // "x = 3 (mod 7)" against a bare number.
    const auto named = ReadNamed(with);
    if (!named) return Undecided("a congruence");
    return g->kind == Kind::kModulo ? Compare(named->values.back(), p)
                                    : Compare(g, named->values.back());
  }
  return g->kind == Kind::kModulo ? Compare(with, p) : Compare(g, with);
}

// x = 3 (mod 7) against x = 7k + 3: the same numbers, where the steps are the modulus. Nothing
// where the other side has no parameter.
std::optional<Decision> Comparer::CompareWithFamily(const Expr& with, const Expr& modulus,
                                                    const Expr& other) {
  const auto value_of = [](const Expr& e) -> Expr {
    if (e->kind != Kind::kRelation) return e;
    const auto named = ReadNamed(e);
    return named ? named->values.back() : nullptr;
  };
  const Expr residue = value_of(with);
  const Expr family = value_of(other);
  if (!residue || !family || !IsPlain(residue) || !IsPlain(family) || IsConstant(family))
    return std::nullopt;
  const std::vector<std::string> unknowns = UnknownsOf(family);
  const auto at = [&](long k) {
    return ExactValue(family, {{unknowns.empty() ? "" : unknowns[0], mpq_class(k)}});
  };
  const ExactResult zero = at(0);
  const ExactResult one = at(1);
  const ExactResult wanted = ExactValue(residue);
  const ExactResult step = ExactValue(modulus);
  for (const ExactResult* value : {&zero, &one, &wanted, &step})
    if (value->status != EvalStatus::kValue) return Undecided("a congruence against a formula");
  const mpq_class slope = one.value - zero.value;
  const Expr line =
      MakeSum({MakeNumber(zero.value), MakeProduct({MakeNumber(slope), MakeSymbol(unknowns[0])})});
  const bool straight =
      unknowns.size() == 1 && CompareValues(family, line, deadline_).finding == Finding::kEqual;
  if (!straight || step.value == 0 || !Holds(CompareTargets(with, other)))
    return Undecided("a congruence against a formula");
  const mpq_class quotient = (zero.value - wanted.value) / step.value;
  if (abs(slope) == abs(step.value) && quotient.get_den() == 1)
    return Equal(Tier::kExact, "the same residue");
  return Different(Tier::kExact);
}

// x = 3 (mod 7) is x = 10 (mod 7).
Decision Comparer::CompareResidues(const Expr& g, const Expr& p, const Decision& otherwise) {
  const auto value = [](const Expr& e) -> Expr {
    if (e->kind != Kind::kRelation) return e;
    const auto named = ReadNamed(e);
    return named ? named->values.back() : nullptr;
  };
  const Expr a = value(g->args[0]);
  const Expr b = value(p->args[0]);
  if (!a || !b || !IsPlain(a) || !IsPlain(b)) return otherwise;
  const Decision names = CompareTargets(g->args[0], p->args[0]);
  if (!Holds(names)) return names;
  const ExactResult left = ExactValue(a);
  const ExactResult right = ExactValue(b);
  const ExactResult modulus = ExactValue(g->args[1]);
  if (left.status != EvalStatus::kValue || right.status != EvalStatus::kValue ||
      modulus.status != EvalStatus::kValue || modulus.value == 0)
    return otherwise;
  const mpq_class quotient = (left.value - right.value) / modulus.value;
  return quotient.get_den() == 1 ? Equal(Tier::kExact, "the same residue")
                                 : Different(Tier::kExact);
}

// --- families: "k\pi, k \in \mathbb{Z}" ---

std::optional<Comparer::Family> Comparer::FamilyOf(const Expr& e) {
  if (e->kind != Kind::kList && e->kind != Kind::kSystem) return std::nullopt;
  Family family;
  for (const Expr& item : e->args) {
    if (!IsMembership(item)) {
      family.items.push_back(item);
      continue;
    }
    if (family.parameter) return std::nullopt;
    family.parameter = item->args[0];
    family.range = item->args[1];
  }
  if (!family.parameter || family.items.empty()) return std::nullopt;
  const bool used = std::any_of(family.items.begin(), family.items.end(),
                                [&](const Expr& item) { return Mentions(item, family.parameter); });
  return used ? std::optional<Family>(std::move(family)) : std::nullopt;
}

// What the parameter is called is no part of the answer, and one family may be written in many
// ways. Nothing where neither side is one, or the other side is a constant.
std::optional<Decision> Comparer::CompareFamilies(const Expr& g, const Expr& p) {
  const auto left = FamilyOf(g);
  auto right = FamilyOf(p);
  if (!left && !right) return std::nullopt;
  if (!left || !right) {
    const std::string& range = left ? left->range->text : right->range->text;
    if (range != "Z" && range != "N") return std::nullopt;
    const Expr& other = left ? p : g;
    const bool open = Any(other, [](const Node& n) { return n.kind == Kind::kSymbol; });
    const auto named = ReadNamed(other);
    const bool constant =
        !open || (named && IsPlain(named->values.back()) && IsConstant(named->values.back()));
    if (constant) return std::nullopt;
    return Undecided("a family of values against one whose parameter is not declared");
  }
  if (left->parameter->text != right->parameter->text) {
    for (Expr& item : right->items) {
      if (Mentions(item, left->parameter)) return Undecided("families with several parameters");
      item = Substitute(item, right->parameter->text, left->parameter);
    }
  }
  const Decision same = Compare(AsItems(left->items), AsItems(right->items));
  const bool same_range = CanonicalText(left->range) == CanonicalText(right->range);
  if (Holds(same) && same_range) return same;
  if (!Holds(same) && same_range && left->range->text == "Z") {
    if (const auto lines = CompareLines(*left, *right)) return *lines;
  }
  return Undecided("families that may be one another in other words");
}

// a k + b and c k + d, k a whole number: the same numbers where the steps are, and b - d is a
// multiple of them. Nothing where a side is no such line.
std::optional<Decision> Comparer::CompareLines(const Family& left, const Family& right) {
  struct Line {
    Expr start;
    Expr step;
  };
  const auto line = [&](const Family& family) -> std::optional<Line> {
    if (family.items.size() != 1) return std::nullopt;
    Expr value = family.items[0];
    if (value->kind == Kind::kRelation) {
      const auto named = ReadNamed(value);
      if (!named || named->values.size() != 1) return std::nullopt;
      value = named->values.back();
    }
    if (!IsPlain(value) || UnknownsOf(value).size() != 1) return std::nullopt;
    const std::string& name = left.parameter->text;
    const Expr start = Substitute(value, name, MakeInteger(0));
    const Expr step = Subtract(Substitute(value, name, MakeInteger(1)), start);
    const Expr straight = MakeSum({start, MakeProduct({step, left.parameter})});
    const bool is_line =
        IsConstant(start) && IsConstant(step) && Holds(CompareValues(value, straight, deadline_)) &&
        CompareValues(step, MakeInteger(0), deadline_).finding == Finding::kDifferent;
    return is_line ? std::optional<Line>({start, step}) : std::nullopt;
  };
  const auto a = line(left);
  const auto b = line(right);
  if (!a || !b) return std::nullopt;
  const Decision targets = CompareTargets(left.items[0], right.items[0]);
  if (!Holds(targets)) return targets;
  const Finding forward = CompareValues(a->step, b->step, deadline_).finding;
  const Finding backward = CompareValues(a->step, Negate(b->step), deadline_).finding;
  if (forward == Finding::kDifferent && backward == Finding::kDifferent)
    return Different(Tier::kIntegers, "another step");
  if (forward != Finding::kEqual && backward != Finding::kEqual) return std::nullopt;
  const Expr apart = Subtract(a->start, b->start);
  const auto steps = ParseDouble(Approximation(MakeNode(Kind::kDiv, {apart, a->step}), 15));
  if (!steps || !(std::fabs(*steps) < 1e6)) return std::nullopt;
  const Expr whole = MakeProduct({MakeInteger(std::lround(*steps)), a->step});
  const Finding meets = CompareValues(apart, whole, deadline_).finding;
  if (meets == Finding::kEqual) return Equal(Tier::kIntegers, "the same family");
  if (meets == Finding::kDifferent) return Different(Tier::kIntegers, "beside the family");
  return std::nullopt;
}

Decision Comparer::CompareTargets(const Expr& g, const Expr& p) {
  const auto a = ReadNamed(g);
  const auto b = ReadNamed(p);
  if (!a || !b || !a->target || !b->target) return Equal(Tier::kIdentity);
  return SameTarget(a->target, b->target) ? Equal(Tier::kIdentity)
                                          : Different(Tier::kStructure, "different unknowns");
}

std::optional<mpq_class> Comparer::ValueInBase(const Node& based) {
  mpz_class whole;
  const int base = static_cast<int>(based.number->get_num().get_si());
  if (whole.set_str(based.text, base) != 0) return std::nullopt;  // 28_5 is no number
  return mpq_class(whole);
}

// The digits in a base are the answer: the same number in another base is the problem's echo.
Decision Comparer::CompareBases(const Expr& g, const Expr& p) {
  if (g->kind == Kind::kBase && p->kind == Kind::kBase) {
    const bool same = g->text == p->text && *g->number == *p->number;
    return same ? Equal(Tier::kIdentity)
                : Different(Tier::kStructure, "other digits or another base");
  }
  const Expr& based = g->kind == Kind::kBase ? g : p;
  const Expr& bare = g->kind == Kind::kBase ? p : g;
  if (IsEqualityChain(bare)) {
    const auto named = ReadNamed(bare);
    if (named)
      return g->kind == Kind::kBase ? Compare(g, named->values.back())
                                    : Compare(named->values.back(), p);
  }
  if (IsPlain(bare)) {
    const ExactResult value = ExactValue(bare);
    if (bare->kind == Kind::kNumber && value.value.get_str() == based->text) {
      // The answer may leave out the reference's base. It may not add one that makes another
      // number of the same digits; whether the problem asked for it the reference does not say.
      const bool answer_adds = p->kind == Kind::kBase || policy_.symmetric;
      if (answer_adds && ValueInBase(*based) != value.value)
        return Undecided("a base on one side only");
      return Equal(Tier::kStructure, "the base left out");
    }
  }
  return Different(Tier::kStructure, "another base");
}

Decision Compare(const Expr& reference, const Expr& answer, const Policy& policy,
                 const Deadline& deadline) {
  return Comparer(policy, deadline).Compare(reference, answer);
}

}  // namespace assay::algebra
