// The comparison by kinds. What is special: reference and answer have different roles in two places
// only, rounding and the rule against echoing an unsolved problem; everything else is symmetric.
#include "graders/algebra/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "graders/algebra/exact.h"
#include "graders/algebra/real_set.h"
#include "graders/algebra/units.h"
#include "graders/algebra/words.h"
#include "harness/text.h"

namespace assay::algebra {
namespace {

constexpr size_t kMaxSignChoices = 16;
constexpr size_t kMaxMatching = 256;

Decision Different(Tier tier, std::string note = "") {
  return {Finding::kDifferent, tier, 0, std::move(note)};
}
Decision Equal(Tier tier, std::string note = "") {
  return {Finding::kEqual, tier, 0, std::move(note)};
}
Decision Undecided(std::string note) {
  return {Finding::kUndecided, Tier::kStructure, 0, std::move(note)};
}

bool IsWrapped(const Expr& e) {
  return e->kind == Kind::kQuantity || e->kind == Kind::kPercent || e->kind == Kind::kDegree ||
         e->kind == Kind::kCurrency;
}
bool IsPlain(const Expr& e) { return IsValue(*e); }

bool HasKind(const Expr& e, Kind kind) {
  return Any(e, [&](const Node& n) { return n.kind == kind; });
}

// --- normal forms ---

// Sums and products that hold matrices are carried out.
bool IsMatrix(const Expr& e) { return e->kind == Kind::kMatrix; }

Expr MapCells(const Expr& matrix, const auto& function) {
  std::vector<Expr> cells;
  cells.reserve(matrix->args.size());
  for (const Expr& cell : matrix->args) cells.push_back(function(cell));
  return MakeMatrix(matrix->rows, matrix->columns, std::move(cells));
}

Expr MultiplyMatrices(const Expr& a, const Expr& b) {
  if (a->columns != b->rows || a->rows * b->columns > 256 || a->columns > 64) return nullptr;
  std::vector<Expr> cells;
  for (int row = 0; row < a->rows; ++row)
    for (int column = 0; column < b->columns; ++column) {
      std::vector<Expr> terms;
      for (int k = 0; k < a->columns; ++k)
        terms.push_back(
            MakeProduct({a->args[row * a->columns + k], b->args[k * b->columns + column]}));
      cells.push_back(MakeSum(std::move(terms)));
    }
  return MakeMatrix(a->rows, b->columns, std::move(cells));
}

Expr ProductOfMatrices(const Expr& e) {
  std::vector<Expr> scalars;
  Expr matrix;
  for (const Expr& factor : e->args) {
    if (!IsMatrix(factor)) {
      if (!IsValue(*factor)) return e;
      scalars.push_back(factor);
    } else {
      matrix = matrix ? MultiplyMatrices(matrix, factor) : factor;
      if (!matrix) return e;
    }
  }
  if (!matrix || scalars.empty()) return matrix ? matrix : e;
  return MapCells(matrix, [&](const Expr& cell) {
    std::vector<Expr> factors = scalars;
    factors.push_back(cell);
    return MakeProduct(std::move(factors));
  });
}

Expr SumOfMatrices(const Expr& e) {
  const Expr& first = e->args[0];
  for (const Expr& term : e->args)
    if (!IsMatrix(term) || term->rows != first->rows || term->columns != first->columns) return e;
  std::vector<Expr> cells;
  for (size_t i = 0; i < first->args.size(); ++i) {
    std::vector<Expr> terms;
    for (const Expr& term : e->args) terms.push_back(term->args[i]);
    cells.push_back(MakeSum(std::move(terms)));
  }
  return MakeMatrix(first->rows, first->columns, std::move(cells));
}

// By cofactors, up to 4 x 4.
Expr Determinant(const Expr& matrix) {
  if (matrix->rows != matrix->columns || matrix->rows > 4) return nullptr;
  if (matrix->rows == 1) return matrix->args[0];
  const int n = matrix->rows;
  std::vector<Expr> terms;
  for (int column = 0; column < n; ++column) {
    std::vector<Expr> minor;
    for (int row = 1; row < n; ++row)
      for (int other = 0; other < n; ++other)
        if (other != column) minor.push_back(matrix->args[row * n + other]);
    Expr term = MakeProduct(
        {matrix->args[column], Determinant(MakeMatrix(n - 1, n - 1, std::move(minor)))});
    terms.push_back(column % 2 == 0 ? term : Negate(term));
  }
  return MakeSum(std::move(terms));
}

Expr Transpose(const Expr& matrix) {
  std::vector<Expr> cells;
  for (int column = 0; column < matrix->columns; ++column)
    for (int row = 0; row < matrix->rows; ++row)
      cells.push_back(matrix->args[row * matrix->columns + column]);
  return MakeMatrix(matrix->columns, matrix->rows, std::move(cells));
}

// "3 + 4 cm" carries its unit as a whole; so does "-5 cm" and "2 * 3 cm".
Expr LiftUnit(const Expr& e) {
  if (e->kind != Kind::kAdd && e->kind != Kind::kNeg && e->kind != Kind::kMul &&
      e->kind != Kind::kPlusMinus)
    return e;
  const Expr& last = e->args.back();
  if (!IsWrapped(last) || last->kind == Kind::kCurrency) return e;
  for (size_t i = 0; i + 1 < e->args.size(); ++i)
    if (!IsValue(*e->args[i])) return e;
  auto inside = std::make_shared<Node>(*e);
  inside->args.back() = last->args[0];
  return MakeNode(last->kind, {Expr(inside)}, last->text);
}

// A currency sign before a product or a negative sign: "-\$5", "\$5 million".
Expr LiftCurrency(const Expr& e) {
  if ((e->kind != Kind::kNeg && e->kind != Kind::kMul && e->kind != Kind::kDiv) ||
      e->args[0]->kind != Kind::kCurrency)
    return e;
  for (size_t i = 1; i < e->args.size(); ++i)
    if (!IsValue(*e->args[i])) return e;
  auto inside = std::make_shared<Node>(*e);
  const Expr currency = e->args[0];
  inside->args[0] = currency->args[0];
  return MakeNode(Kind::kCurrency, {Expr(inside)}, currency->text);
}

Expr WordsAsSet(const Expr& e) {
  if (e->kind != Kind::kText) return e;
  static const std::set<std::string_view> none = {"none",
                                                  "no solution exists",
                                                  "no solution",
                                                  "no solutions",
                                                  "no real solution",
                                                  "no real solutions",
                                                  "empty set",
                                                  "no such solution",
                                                  "there is no solution",
                                                  "there are no solutions"};
  static const std::set<std::string_view> all = {"all real numbers", "all reals",
                                                 "real numbers",     "any real number",
                                                 "all real number",  "reals"};
  if (none.count(e->text)) return MakeNode(Kind::kNamedSet, {}, "empty");
  if (all.count(e->text)) return MakeNode(Kind::kNamedSet, {}, "R");
  if (e->text == "infinity" || e->text == "positive infinity" || e->text == "infinitely many")
    return MakeConstant("inf");
  if (e->text == "negative infinity") return Negate(MakeConstant("inf"));
  if (Expr value = ValueInWords(e->text)) return value;
  return e;
}

// "\mathbb{R} - \{1\}": a set without another's members.
bool IsSetMinus(const Expr& e) {
  if (e->kind != Kind::kAdd) return false;
  const auto is_set = [](const Expr& s) {
    return s->kind == Kind::kSet || s->kind == Kind::kNamedSet || s->kind == Kind::kInterval;
  };
  const Expr& first = e->args[0];
  const bool pair = first->kind == Kind::kTuple && first->text == "()" && first->args.size() == 2;
  if (!is_set(first) && !pair) return false;
  return std::all_of(e->args.begin() + 1, e->args.end(), [&](const Expr& rest) {
    return rest->kind == Kind::kNeg && is_set(rest->args[0]);
  });
}
Expr SetMinus(const Expr& e) {
  Expr left = e->args[0];
  for (size_t i = 1; i < e->args.size(); ++i)
    left = MakeNode(Kind::kDifference, {left, e->args[i]->args[0]});
  return left;
}

// --- dots ---

std::optional<long> SmallInteger(const Expr& e) {
  if (e->kind == Kind::kNeg) {
    const auto value = SmallInteger(e->args[0]);
    return value ? std::optional<long>(-*value) : std::nullopt;
  }
  const bool small = e->kind == Kind::kNumber && e->number->get_den() == 1 &&
                     abs(*e->number) <= 1000000 && e->text.empty();
  return small ? std::optional<long>(e->number->get_num().get_si()) : std::nullopt;
}

// "1, 2, ..., 5" written out, where the step is beyond doubt: whole numbers one apart, or three or
// more in steps. "2, 4, ..., 16" may be powers. The list itself where it stays open.
Expr WithoutDots(const Expr& e) {
  constexpr long kMost = 200;
  const auto is_dots = [](const Expr& item) { return item->kind == Kind::kEllipsis; };
  const auto dots = std::find_if(e->args.begin(), e->args.end(), is_dots);
  const auto before = dots - e->args.begin();
  if (dots == e->args.end() || dots + 1 == e->args.end() || before < 2) return e;
  std::vector<long> values;
  for (const Expr& item : e->args) {
    if (&item == &*dots) continue;
    const auto value = SmallInteger(item);
    if (!value) return e;
    values.push_back(*value);
  }
  const long step = values[1] - values[0];
  if (step == 0 || (before == 2 && std::abs(step) != 1)) return e;
  for (long i = 1; i < before; ++i)
    if (values[i] - values[i - 1] != step) return e;
  for (size_t i = before + 1; i < values.size(); ++i)
    if (values[i] - values[i - 1] != step) return e;
  const long gap = values[before] - values[before - 1];
  if (gap % step != 0 || gap / step < 1 || gap / step > kMost) return e;
  std::vector<Expr> items;
  for (long value = values[0]; value != values.back() + step; value += step)
    items.push_back(MakeInteger(value));
  return MakeNode(e->kind, std::move(items), e->text);
}

// --- parameters ---

bool IsMembership(const Expr& e) {
  return e->kind == Kind::kRelation && e->text == std::string(1, kElementOf) &&
         e->args[0]->kind == Kind::kSymbol && e->args[1]->kind == Kind::kNamedSet;
}

// "k\pi (k \in \mathbb{Z})" as "k\pi, k \in \mathbb{Z}".
Expr ParameterApart(const Expr& e) {
  const Expr& last = e->args.back();
  if (e->kind == Kind::kMul && IsMembership(last)) {
    std::vector<Expr> factors(e->args.begin(), e->args.end() - 1);
    for (const Expr& factor : factors)
      if (!IsValue(*factor)) return e;
    return MakeNode(Kind::kList, {MakeProduct(std::move(factors)), last});
  }
  const bool after_equals = e->kind == Kind::kRelation && last->kind == Kind::kList &&
                            last->args.size() == 2 && IsMembership(last->args[1]);
  if (!after_equals) return e;
  auto relation = std::make_shared<Node>(*e);
  relation->args.back() = last->args[0];
  return MakeNode(Kind::kList, {Expr(relation), last->args[1]});
}

Expr NormaliseNode(Expr e) {
  switch (e->kind) {
    case Kind::kList:
    case Kind::kSet:
    case Kind::kTuple:
      return WithoutDots(e);
    case Kind::kRelation:
      return ParameterApart(e);
    case Kind::kText:
      return WordsAsSet(e);
    case Kind::kMul:
      if (std::any_of(e->args.begin(), e->args.end(), IsMatrix)) e = ProductOfMatrices(e);
      if (IsMembership(e->args.back())) return ParameterApart(e);
      break;
    case Kind::kAdd:
      if (std::any_of(e->args.begin(), e->args.end(), IsMatrix)) e = SumOfMatrices(e);
      if (IsSetMinus(e)) return SetMinus(e);
      break;
    case Kind::kNeg:
      if (IsMatrix(e->args[0])) return MapCells(e->args[0], Negate);
      break;
    case Kind::kDiv:
      if (IsMatrix(e->args[0]) && IsValue(*e->args[1]))
        return MapCells(e->args[0], [&](const Expr& cell) {
          return MakeNode(Kind::kDiv, {cell, e->args[1]});
        });
      break;
    case Kind::kCall:
      if (e->text == "det" && e->args.size() == 1 && IsMatrix(e->args[0]))
        if (Expr value = Determinant(e->args[0])) return value;
      if (e->text == "transpose" && IsMatrix(e->args[0])) return Transpose(e->args[0]);
      break;
    default:
      break;
  }
  return LiftCurrency(LiftUnit(e));
}

// --- ± ---

void CountSigns(const Expr& e, int* plus_minus, int* minus_plus) {
  if (e->kind == Kind::kPlusMinus) ++*(e->text == "+-" ? plus_minus : minus_plus);
  for (const Expr& arg : e->args) CountSigns(arg, plus_minus, minus_plus);
}

// The tree with the signs of `choice`, one bit for each ± in order of reading; `shared`: one bit
// for all.
Expr WithSigns(const Expr& e, unsigned choice, bool shared, int* index) {
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = WithSigns(arg, choice, shared, index);
  if (e->kind != Kind::kPlusMinus) return copy;
  const int bit = shared ? 0 : (*index)++;
  bool positive = ((choice >> bit) & 1) == 0;
  if (e->text == "-+") positive = !positive;
  const Expr value = positive ? copy->args.back() : Negate(copy->args.back());
  return copy->args.size() == 1 ? value : MakeSum({copy->args[0], value});
}

// Every reading of the signs: independent, but for ∓, which goes against the one ±.
std::optional<std::vector<Expr>> SignChoices(const Expr& e) {
  int plus_minus = 0;
  int minus_plus = 0;
  CountSigns(e, &plus_minus, &minus_plus);
  const bool shared = plus_minus > 0 && minus_plus > 0;
  const int bits = shared ? 1 : plus_minus + minus_plus;
  if ((1u << std::min(bits, 20)) > kMaxSignChoices) return std::nullopt;
  std::vector<Expr> choices;
  for (unsigned choice = 0; choice < (1u << bits); ++choice) {
    int index = 0;
    choices.push_back(WithSigns(e, choice, shared, &index));
  }
  return choices;
}

// Items of a list, each ± written out.
std::optional<std::vector<Expr>> ExpandSigns(const std::vector<Expr>& items) {
  std::vector<Expr> expanded;
  for (const Expr& item : items) {
    if (!HasKind(item, Kind::kPlusMinus)) {
      expanded.push_back(item);
      continue;
    }
    auto choices = SignChoices(item);
    if (!choices) return std::nullopt;
    expanded.insert(expanded.end(), choices->begin(), choices->end());
  }
  return expanded;
}

// --- statements ---

// "x = 1/3 ≈ 0.33": a name, and the values that the chain gives it.
struct Named {
  Expr target;               // null where there is none
  std::vector<Expr> values;  // in order; the last is the answer
  std::string links;         // between them
};

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

class Comparer {
 public:
  Comparer(const Policy& policy, const Deadline& deadline) : policy_(policy), deadline_(deadline) {}

  Decision Compare(const Expr& g, const Expr& p) {
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

 private:
  // "A(-3, 4)": a point and its name.
  static bool IsLabelledPoint(const Expr& e) {
    return e->kind == Kind::kMul && e->args.size() == 2 && e->args[0]->kind == Kind::kSymbol &&
           e->args[0]->text.size() == 1 && e->args[0]->text[0] >= 'A' &&
           e->args[0]->text[0] <= 'Z' && e->args[1]->kind == Kind::kTuple &&
           e->args[1]->text == "()";
  }

  // The same tree is the same answer, unless it has no value.
  Decision SameTree(const Expr& e) {
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

  Decision CompareLeaves(const Expr& g, const Expr& p) {
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
  static bool MayBePartOfAngle(const Expr& g, const Expr& p) {
    constexpr std::string_view kAngle = "angle ";
    if (g->kind != Kind::kSymbol || p->kind != Kind::kSymbol) return false;
    if (!g->text.starts_with(kAngle) || !p->text.starts_with(kAngle)) return false;
    const std::string a = g->text.substr(kAngle.size()), b = p->text.substr(kAngle.size());
    return (a.size() == 1 && b.size() == 3 && a[0] == b[1]) ||
           (b.size() == 1 && a.size() == 3 && b[0] == a[1]);
  }

  // \sin n\pi is 0 where n counts, as n, m and k do in an angle.
  bool AgreeAtWholeNumbers(const Expr& g, const Expr& p) {
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

  static bool IsDecimal(const Expr& e) {
    if (e->kind == Kind::kNeg) return IsDecimal(e->args[0]);
    return e->kind == Kind::kNumber && !e->text.empty();
  }
  static std::string Digits(const Expr& e) {
    return e->kind == Kind::kNeg ? Digits(e->args[0]) : e->text;
  }
  static int Places(const std::string& text) {
    const size_t point = text.find('.');
    const size_t end = text.find_first_of("eE");
    if (point == std::string::npos) return 0;
    return static_cast<int>((end == std::string::npos ? text.size() : end) - point - 1);
  }
  static int SignificantDigits(const std::string& text) {
    int count = 0;
    bool leading = true;
    for (const char c : text.substr(0, text.find_first_of("eE"))) {
      if (c < '0' || c > '9') continue;
      if (c != '0') leading = false;
      if (!leading) ++count;
    }
    return count;
  }
  static mpq_class TenToMinus(int places) {
    mpz_class power;
    mpz_ui_pow_ui(power.get_mpz_t(), 10, std::abs(places));
    return places >= 0 ? mpq_class(1, power) : mpq_class(power);
  }

  // An exact value whose decimals never end: 100/3, √2.
  bool NeverEnds(const Expr& e) {
    if (!IsConstant(e) || IsDecimal(e)) return false;
    const ExactResult exact = ExactValue(e);
    if (exact.status != EvalStatus::kValue) return true;
    mpz_class below = exact.value.get_den();
    for (const unsigned long prime : {2ul, 5ul})
      while (mpz_divisible_ui_p(below.get_mpz_t(), prime)) below /= prime;
    return below != 1;
  }

  std::optional<Decision> Rounded(const Expr& g, const Expr& p) {
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

  static mpq_class ApproximateSize(const Expr& e) {
    const auto value = ParseDouble(Approximation(e, 15));
    return value && std::isfinite(*value) ? mpq_class(std::fabs(*value)) : mpq_class(0);
  }

  static bool SameDigits(const Expr& g, const Expr& p, int digits) {
    const mpq_class a = ApproximateSize(g);
    if (a == 0 || digits < 1 || digits > 15) return false;
    const int magnitude = static_cast<int>(std::floor(std::log10(a.get_d())));
    return WithinDistance(g, p, TenToMinus(digits - 1 - magnitude) / 2);
  }

  // --- ± ---

  Decision CompareSigned(const Expr& g, const Expr& p) {
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

  static bool HasSet(const Expr& e) { return e->kind == Kind::kSet; }

  // The answers that a ± stands for; the parts of a list or set each by itself.
  static std::optional<std::vector<Expr>> SignedItems(const Expr& e) {
    if (e->kind == Kind::kList || e->kind == Kind::kSet) return ExpandSigns(WithoutNames(e->args));
    if (const auto named = ReadNamed(e)) return ExpandSigns({named->values.back()});
    return ExpandSigns({e});
  }

  // --- congruences and bases ---

  Decision CompareModulo(const Expr& g, const Expr& p) {
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
  std::optional<Decision> CompareWithFamily(const Expr& with, const Expr& modulus,
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
    const Expr line = MakeSum(
        {MakeNumber(zero.value), MakeProduct({MakeNumber(slope), MakeSymbol(unknowns[0])})});
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
  Decision CompareResidues(const Expr& g, const Expr& p, const Decision& otherwise) {
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

  struct Family {
    std::vector<Expr> items;
    Expr parameter;
    Expr range;
  };

  static std::optional<Family> FamilyOf(const Expr& e) {
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
    const bool used = std::any_of(family.items.begin(), family.items.end(), [&](const Expr& item) {
      return Mentions(item, family.parameter);
    });
    return used ? std::optional<Family>(std::move(family)) : std::nullopt;
  }

  static Expr AsItems(const std::vector<Expr>& items) {
    return items.size() == 1 ? items[0] : MakeNode(Kind::kList, items);
  }

  // What the parameter is called is no part of the answer, and one family may be written in many
  // ways. Nothing where neither side is one, or the other side is a constant.
  std::optional<Decision> CompareFamilies(const Expr& g, const Expr& p) {
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
  std::optional<Decision> CompareLines(const Family& left, const Family& right) {
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
          IsConstant(start) && IsConstant(step) &&
          Holds(CompareValues(value, straight, deadline_)) &&
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

  Decision CompareTargets(const Expr& g, const Expr& p) {
    const auto a = ReadNamed(g);
    const auto b = ReadNamed(p);
    if (!a || !b || !a->target || !b->target) return Equal(Tier::kIdentity);
    return SameTarget(a->target, b->target) ? Equal(Tier::kIdentity)
                                            : Different(Tier::kStructure, "different unknowns");
  }

  static std::optional<mpq_class> ValueInBase(const Node& based) {
    mpz_class whole;
    const int base = static_cast<int>(based.number->get_num().get_si());
    if (whole.set_str(based.text, base) != 0) return std::nullopt;  // 28_5 is no number
    return mpq_class(whole);
  }

  // The digits in a base are the answer: the same number in another base is the problem's echo.
  Decision CompareBases(const Expr& g, const Expr& p) {
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

  // --- statements ---

  static bool SameTarget(const Expr& a, const Expr& b) {
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
  static std::optional<Named> Renamed(const Named& answer, const Named& reference) {
    const auto letter = [](const Named& named) -> Expr {
      const bool one = named.target && IsFunctionTarget(named.target) &&
                       named.target->args.size() == 1 &&
                       named.target->args[0]->kind == Kind::kSymbol;
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

  Decision CompareStatements(const Expr& g, const Expr& p) {
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
  bool Consistent(const Named& named) {
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
  bool Contradicts(const Named& named) {
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

  Decision CompareValuesOf(const Named& named, const Expr& other, bool named_is_reference) {
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

  Decision CompareNamed(const Expr& g, const Named& left, const Expr& p, const Named& right) {
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

  static bool IsEquation(const Expr& e) {
    return IsEqualityChain(e) && e->args.size() == 2 && IsPlain(e->args[0]) && IsPlain(e->args[1]);
  }
  static bool IsEquationInSeveral(const Expr& e) {
    return IsEquation(e) && UnknownsOf(Difference(e)).size() > 1;
  }
  static Expr Difference(const Expr& equation) {
    return Subtract(equation->args[0], equation->args[1]);
  }
  static bool IsSolved(const Expr& e) {
    const auto named = ReadNamed(e);
    return named && IsPlain(named->values.back()) && IsConstant(named->values.back());
  }

  Decision CompareEquations(const Expr& g, const Expr& p) {
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
  Decision CompareWithSolution(const Expr& reference, const Expr& answer, const Expr& solved) {
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

  static bool HasDenominator(const Expr& e) {
    return Any(e, [](const Node& n) { return n.kind == Kind::kDiv && !IsConstant(n.args[1]); });
  }

  // The terms of a sum over their common denominator, which is the product of the distinct ones.
  static Expr Numerator(const Expr& sum) {
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

  Decision CompareInOrder(const Expr& g, const Expr& p) {
    Decision total = Equal(Tier::kMatching);
    for (size_t i = 0; i < g->args.size(); ++i) {
      total = Both(total, Compare(g->args[i], p->args[i]));
      if (total.finding == Finding::kDifferent) return total;
    }
    return total;
  }

  // The weaker of two.
  static Decision Both(const Decision& a, const Decision& b) {
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

  // --- collections ---

  static bool IsCollection(const Expr& e) {
    return e->kind == Kind::kList || e->kind == Kind::kSet || e->kind == Kind::kSystem;
  }

  static bool IsAssignment(const Expr& e) {
    const auto named = ReadNamed(e);
    return named && named->target;
  }
  static std::string BaseName(const Expr& target) {
    if (target->kind != Kind::kSymbol) return CanonicalText(target);
    return target->text.substr(0, target->text.find("_{"));
  }

  // Whether every part gives a value to a name of its own: "a = 1, b = 2".
  static bool IsSystemOfAssignments(const std::vector<Expr>& items) {
    std::set<std::string> names;
    std::set<std::string> bases;
    for (const Expr& item : items) {
      if (!IsAssignment(item)) return false;
      const Expr target = ReadNamed(item)->target;
      names.insert(CanonicalText(target));
      bases.insert(BaseName(target));
    }
    // x_1 = 1, x_2 = -2 are two values of x.
    return names.size() == items.size() && bases.size() > 1;
  }

  // "x = 1, x = -2" and "x = 1, 2": the values.
  static std::vector<Expr> WithoutNames(const std::vector<Expr>& items) {
    if (IsSystemOfAssignments(items) && items.size() > 1) return items;
    std::string base;
    for (const Expr& item : items) {
      const auto named = ReadNamed(item);
      if (!named || !named->target) continue;
      const std::string name = BaseName(named->target);
      if (!base.empty() && base != name) return items;
      base = name;
    }
    if (base.empty()) return items;
    std::vector<Expr> values;
    for (const Expr& item : items) {
      const auto named = ReadNamed(item);
      values.push_back(named && named->target ? named->values.back() : item);
    }
    return values;
  }

  static std::string NameOf(const std::vector<Expr>& items) {
    for (const Expr& item : items) {
      const auto named = ReadNamed(item);
      if (named && named->target) return BaseName(named->target);
    }
    return "";
  }

  static std::vector<Expr> ItemsOf(const Expr& e) {
    if (IsCollection(e)) return e->args;
    return {e};
  }

  static bool AreInequalities(const Expr& e) {
    return e->kind == Kind::kList && std::all_of(e->args.begin(), e->args.end(), IsSetLike);
  }

  // "1 hour, 30 minutes": one measure in parts, the larger first; null where it is none.
  static Expr MeasureOfParts(const Expr& e) {
    if (e->kind != Kind::kList || e->args.size() < 2) return nullptr;
    mpq_class last_scale;
    std::vector<Expr> terms;
    std::map<std::string, int> bases;
    for (const Expr& part : e->args) {
      if (part->kind != Kind::kQuantity || !IsPlain(part->args[0])) return nullptr;
      const Unit unit = ReadUnit(part->text);
      const bool fits = unit.known && unit.bases.size() == 1 &&
                        (terms.empty() || (unit.bases == bases && unit.scale < last_scale));
      if (!fits) return nullptr;
      bases = unit.bases;
      last_scale = unit.scale;
      terms.push_back(MakeProduct({MakeNumber(unit.scale), part->args[0]}));
    }
    const Expr total = MakeNode(Kind::kDiv, {MakeSum(std::move(terms)), MakeNumber(last_scale)});
    return MakeNode(Kind::kQuantity, {total}, e->args.back()->text);
  }

  Decision CompareCollections(const Expr& g, const Expr& p) {
    if (p->kind == Kind::kQuantity)
      if (const Expr measure = MeasureOfParts(g)) return Compare(measure, p);
    if (g->kind == Kind::kQuantity)
      if (const Expr measure = MeasureOfParts(p)) return Compare(g, measure);
    // A finite set against an interval or the like.
    if (IsSetLike(g) || IsSetLike(p)) return CompareSets(g, p);
    // "x > 1, x < 3" against (1, 3).
    if ((AreInequalities(g) && p->kind == Kind::kTuple) ||
        (AreInequalities(p) && g->kind == Kind::kTuple))
      return CompareSets(g, p);
    std::vector<Expr> left = ItemsOf(g);
    std::vector<Expr> right = ItemsOf(p);
    const bool left_system = left.size() > 1 && IsSystemOfAssignments(left);
    const bool right_system = right.size() > 1 && IsSystemOfAssignments(right);
    if (left_system && right_system) return CompareSystems(left, right);
    if (left_system && p->kind == Kind::kTuple) return CompareInOrderOf(InNameOrder(left), p->args);
    if (right_system && g->kind == Kind::kTuple)
      return CompareInOrderOf(g->args, InNameOrder(right));
    // "x = -3 or x = 3" are two values, and (-3, 3) is one point or an interval.
    if ((g->kind == Kind::kTuple && !right_system && !NameOf(right).empty()) ||
        (p->kind == Kind::kTuple && !left_system && !NameOf(left).empty()))
      return Different(Tier::kStructure, "values of one unknown against a tuple");
    // Brackets dropped, order kept.
    if (g->kind == Kind::kTuple && p->kind == Kind::kList) return CompareInOrderOf(g->args, right);
    if (p->kind == Kind::kTuple && g->kind == Kind::kList) return CompareInOrderOf(left, p->args);
    const std::string left_name = NameOf(left);
    const std::string right_name = NameOf(right);
    if (!left_name.empty() && !right_name.empty() && left_name != right_name && !left_system &&
        !right_system)
      return Different(Tier::kStructure, "different unknowns");
    return Match(WithoutNames(left), WithoutNames(right),
                 g->kind == Kind::kSet || p->kind == Kind::kSet);
  }

  Decision CompareSystems(const std::vector<Expr>& left, const std::vector<Expr>& right) {
    if (left.size() != right.size()) return Different(Tier::kMatching, "another number of parts");
    return Match(left, right, false);
  }

  static std::vector<Expr> InNameOrder(const std::vector<Expr>& assignments) {
    std::map<std::string, Expr> by_name;
    for (const Expr& assignment : assignments) {
      const auto named = ReadNamed(assignment);
      by_name[Readable(named->target)] = named->values.back();
    }
    std::vector<Expr> values;
    for (const auto& [name, value] : by_name) values.push_back(value);
    return values;
  }

  Decision CompareInOrderOf(const std::vector<Expr>& left, const std::vector<Expr>& right) {
    if (left.size() != right.size()) return Different(Tier::kMatching, "another number of parts");
    Decision total = Equal(Tier::kMatching);
    for (size_t i = 0; i < left.size(); ++i) {
      total = Both(total, Compare(left[i], right[i]));
      if (total.finding == Finding::kDifferent) return total;
    }
    return total;
  }

  // Repeated members of a set count once.
  std::vector<Expr> Distinct(const std::vector<Expr>& items) {
    std::vector<Expr> distinct;
    for (const Expr& item : items) {
      const bool known = std::any_of(distinct.begin(), distinct.end(), [&](const Expr& other) {
        return CanonicalText(other) == CanonicalText(item) ||
               (IsPlain(other) && IsPlain(item) && Holds(CompareValues(other, item, deadline_)));
      });
      if (!known) distinct.push_back(item);
    }
    return distinct;
  }

  // Bipartite matching: each part of one side with its own part of the other.
  Decision Match(std::vector<Expr> left, std::vector<Expr> right, bool as_sets) {
    if (left.size() > kMaxMatching || right.size() > kMaxMatching)
      return Undecided("lists too long to match");
    const auto has_dots = [](const std::vector<Expr>& items) {
      return std::any_of(items.begin(), items.end(),
                         [](const Expr& e) { return e->kind == Kind::kEllipsis; });
    };
    // "1, 2, ..., n": the order is the meaning.
    if (has_dots(left) || has_dots(right)) {
      const Decision ordered = CompareInOrderOf(left, right);
      const bool alike = has_dots(left) == has_dots(right) && left.size() == right.size();
      if (Holds(ordered) || alike) return ordered;
      // "1, 2, ..." is not "1, 3, 5, ...", however they end.
      for (size_t i = 0; has_dots(left) && has_dots(right) && i < left.size(); ++i) {
        if (i >= right.size() || left[i]->kind == Kind::kEllipsis ||
            right[i]->kind == Kind::kEllipsis)
          break;
        const Decision part = Compare(left[i], right[i]);
        if (part.finding == Finding::kDifferent) return part;
      }
      return Undecided("a list with dots");
    }
    if (as_sets) {
      left = Distinct(left);
      right = Distinct(right);
    }
    if (left.size() != right.size()) return Different(Tier::kMatching, "another number of parts");
    if (left.size() == 1) return Compare(left[0], right[0]);
    return MatchAll(left, right);
  }

  Decision MatchAll(const std::vector<Expr>& left, const std::vector<Expr>& right) {
    const size_t n = left.size();
    std::vector<std::vector<std::optional<Decision>>> table(
        n, std::vector<std::optional<Decision>>(n));
    const auto decide = [&](size_t i, size_t j) -> const Decision& {
      if (!table[i][j]) table[i][j] = Compare(left[i], right[j]);
      return *table[i][j];
    };
    std::vector<int> partner(n, -1);  // of each on the right
    for (size_t i = 0; i < n; ++i) {
      std::vector<bool> seen(n, false);
      if (!Augment(i, n, decide, &seen, &partner)) return Unmatched(i, n, decide);
    }
    Decision total = Equal(Tier::kMatching);
    for (size_t j = 0; j < n; ++j) total = Both(total, decide(partner[j], j));
    if (total.finding == Finding::kEqual) total.tier = Tier::kMatching;
    return total;
  }

  template <typename Decide>
  static bool Augment(size_t i, size_t n, const Decide& decide, std::vector<bool>* seen,
                      std::vector<int>* partner) {
    // First the part at the same place: most lists are in order.
    for (size_t k = 0; k < n; ++k) {
      const size_t j = (i + k) % n;
      if ((*seen)[j] || !Holds(decide(i, j))) continue;
      (*seen)[j] = true;
      if ((*partner)[j] < 0 ||
          Augment(static_cast<size_t>((*partner)[j]), n, decide, seen, partner)) {
        (*partner)[j] = static_cast<int>(i);
        return true;
      }
    }
    return false;
  }

  // Different where the part is different from all others, else not known.
  template <typename Decide>
  static Decision Unmatched(size_t i, size_t n, const Decide& decide) {
    for (size_t j = 0; j < n; ++j) {
      const Finding finding = decide(i, j).finding;
      if (finding == Finding::kUndecided || finding == Finding::kNumeric)
        return Undecided("a part of the list");
    }
    return Different(Tier::kMatching, "a part without a partner");
  }

  // --- units ---

  struct Measure {
    Expr value;
    Kind kind = Kind::kNumber;  // kNumber: bare
    Unit unit;
    std::string unit_text;
  };

  static Measure Read(const Expr& e) {
    Measure measure;
    measure.value = e;
    if (!IsWrapped(e)) return measure;
    measure.kind = e->kind;
    measure.value = e->args[0];
    if (e->kind == Kind::kCurrency) measure.unit = ReadUnit(e->text == "$" ? "dollar" : e->text);
    if (e->kind == Kind::kQuantity) {
      measure.unit_text = e->text;
      for (const std::string_view scale : {"degrees ", "degree "})  // "degrees celsius"
        if (e->text.starts_with(scale)) measure.unit_text = e->text.substr(scale.size());
      if (measure.unit_text == "centigrade") measure.unit_text = "celsius";
      measure.unit = ReadUnit(measure.unit_text);
    }
    if (e->kind == Kind::kCurrency && IsWrapped(measure.value)) return Read(measure.value);
    return measure;
  }

  Decision CompareWrapped(const Expr& g, const Expr& p) {
    const Measure left = Read(g);
    const Measure right = Read(p);
    Decision decision = CompareMeasures(left, right);
    if (decision.finding == Finding::kEqual) decision.tier = Tier::kUnits;
    return decision;
  }

  // "20\% increase": a noun says what it is a part of, and may be left out on one side.
  static bool IsPercentOfNoun(const Measure& m) {
    return m.kind == Kind::kQuantity && m.value->kind == Kind::kPercent && !m.unit.known;
  }

  Decision CompareMeasures(const Measure& left, const Measure& right) {
    if (IsPercentOfNoun(left) != IsPercentOfNoun(right))
      return IsPercentOfNoun(left) ? CompareMeasures(Read(left.value), right)
                                   : CompareMeasures(left, Read(right.value));
    const bool left_bare = left.kind == Kind::kNumber;
    const bool right_bare = right.kind == Kind::kNumber;
    if (left.kind == Kind::kPercent || right.kind == Kind::kPercent)
      return ComparePercents(left, right);
    if (left.kind == Kind::kDegree || right.kind == Kind::kDegree)
      return CompareDegrees(left, right);
    if (left_bare && IsHalfDay(right)) return Compare(left.value, OnTheClockOf(left.value, right));
    if (right_bare && IsHalfDay(left)) return Compare(OnTheClockOf(right.value, left), right.value);
    if (left_bare || right_bare) {
      const Decision bare = Compare(left.value, right.value);
      if (Holds(bare)) return bare;
      const Expr without = left_bare ? WithoutUnitLetter(left.value, right.unit_text)
                                     : WithoutUnitLetter(right.value, left.unit_text);
      if (!without) return bare;
      return left_bare ? Compare(without, right.value) : Compare(left.value, without);
    }
    return CompareUnits(left, right);
  }

  // 10m beside 10\,\mathrm{m}: 10, since the other side says that the letter is a unit.
  static Expr WithoutUnitLetter(const Expr& product, std::string_view unit) {
    if (unit.size() != 1 || product->kind != Kind::kMul || !IsPlain(product)) return nullptr;
    const Expr& last = product->args.back();
    if (last->kind != Kind::kSymbol || last->text != unit) return nullptr;
    const Expr rest =
        MakeProduct(std::vector<Expr>(product->args.begin(), product->args.end() - 1));
    return IsConstant(rest) ? rest : nullptr;
  }

  Decision ComparePercents(const Measure& left, const Measure& right) {
    if (left.kind == right.kind) return Compare(left.value, right.value);
    const bool left_percent = left.kind == Kind::kPercent;
    if ((left_percent ? right.kind : left.kind) != Kind::kNumber)
      return Different(Tier::kUnits, "percent against another unit");
    const auto hundredth = [](const Expr& e) {
      return MakeNode(Kind::kDiv, {e, MakeInteger(100)});
    };
    if (!IsPlain(left.value) || !IsPlain(right.value)) return Compare(left.value, right.value);
    const Decision scaled = left_percent
                                ? CompareValues(hundredth(left.value), right.value, deadline_)
                                : CompareValues(left.value, hundredth(right.value), deadline_);
    if (Holds(scaled) || !policy_.percent_equals_bare) return scaled;
    return Compare(left.value, right.value);
  }

  // 48° and 48; also 90° and π/2.
  Decision CompareDegrees(const Measure& left, const Measure& right) {
    const bool left_degree = left.kind == Kind::kDegree;
    if (left.kind == right.kind) return Compare(left.value, right.value);
    const Measure& other = left_degree ? right : left;
    if (other.kind != Kind::kNumber && !(other.kind == Kind::kQuantity && other.unit.bases.empty()))
      return Different(Tier::kUnits, "degrees against another unit");
    const Decision direct = Compare(left.value, right.value);
    if (Holds(direct) || !IsPlain(left.value) || !IsPlain(right.value)) return direct;
    const auto radians = [](const Expr& e) { return MakeNode(Kind::kDegree, {e}); };
    const Expr a = left_degree ? radians(left.value) : left.value;
    const Expr b = left_degree ? right.value : radians(right.value);
    return CompareValues(a, b, deadline_);
  }

  // 25 °C as a number of kelvins; null where the unit is no temperature.
  static Expr Kelvins(const Measure& m) {
    if (m.unit_text == "celsius") return MakeSum({m.value, MakeNumber(mpq_class(5463, 20))});
    if (m.unit_text == "fahrenheit")
      return MakeProduct(
          {MakeNumber(mpq_class(5, 9)), MakeSum({m.value, MakeNumber(mpq_class(45967, 100))})});
    if (m.unit_text == "k" || m.unit_text == "kelvin" || m.unit_text == "kelvins") return m.value;
    return nullptr;
  }

  // 25 °C is 77 °F; as differences, 25 °C are 45 °F.
  Decision CompareTemperatures(const Measure& left, const Measure& right) {
    const Decision points = CompareValues(Kelvins(left), Kelvins(right), deadline_);
    if (Holds(points)) return points;
    const auto slope = [](const Measure& m) {
      return MakeProduct({MakeNumber(mpq_class(m.unit_text == "fahrenheit" ? 5 : 9)), m.value});
    };
    if (Holds(CompareValues(slope(left), slope(right), deadline_)))
      return Undecided("the same as differences of temperature");
    return points;
  }

  Decision CompareUnits(const Measure& left, const Measure& right) {
    if (left.unit_text != right.unit_text && IsPlain(left.value) && IsPlain(right.value) &&
        Kelvins(left) && Kelvins(right))
      return CompareTemperatures(left, right);
    if (left.unit.bases.empty() || right.unit.bases.empty() ||
        (left.unit.bases == right.unit.bases && left.unit.scale == right.unit.scale))
      return Compare(left.value, right.value);
    if (left.unit.bases != right.unit.bases) {
      if (left.unit.known && right.unit.known)
        return Different(Tier::kUnits, "units of different kinds");
      if (IsHalfDay(left) && IsHalfDay(right)) return Different(Tier::kUnits, "am against pm");
      const Decision values = Compare(left.value, right.value);
      return Holds(values) ? Undecided("units that are not known to be the same") : values;
    }
    if (!IsPlain(left.value) || !IsPlain(right.value)) return Undecided("converted units");
    const auto scaled = [](const Measure& m) {
      return MakeProduct({MakeNumber(m.unit.scale), m.value});
    };
    return CompareValues(scaled(left), scaled(right), deadline_);
  }

  // "4:30 pm" as 16:30 where the other side counts to 24.
  static Expr OnTheClockOf(const Expr& other, const Measure& time) {
    const auto hour = [](const Expr& e) -> std::optional<mpq_class> {
      if (e->kind != Kind::kRatio || e->args.size() != 2) return std::nullopt;
      return e->args[0]->number;
    };
    const auto from = hour(time.value);
    const auto to = hour(other);
    if (!from || !to || time.unit_text != "pm" || *to < 13 || *from > 11) return time.value;
    return MakeNode(Kind::kRatio, {MakeNumber(*from + 12), time.value->args[1]});
  }

  static bool IsHalfDay(const Measure& m) { return m.unit_text == "am" || m.unit_text == "pm"; }

  // --- words ---

  static bool SaysThereIsNone(std::string_view words) {
    return words == "dne" || words == "does not exist" || words == "doesn't exist";
  }

  static Decision CompareTexts(const Expr& g, const Expr& p) {
    const auto fold = [](const Expr& e) -> std::optional<std::string> {
      if (e->kind == Kind::kText) return e->text;
      if (e->kind == Kind::kSymbol && e->text.size() == 1) return ToLowerAscii(e->text);
      return std::nullopt;
    };
    const auto a = fold(g);
    const auto b = fold(p);
    if (!a || !b) {
      const std::string& words = g->kind == Kind::kText ? g->text : p->text;
      if (MayNameNumber(words)) return Undecided("words that may name a number");
      return Different(Tier::kStructure, "words against mathematics");
    }
    if (SaysThereIsNone(*a) && SaysThereIsNone(*b)) return Equal(Tier::kText);
    return *a == *b ? Equal(Tier::kText) : Different(Tier::kText);
  }

  // --- ratios ---

  // A clock shows whole minutes in two digits; the lexer keeps no leading zero, so the numbers must
  // do.
  static bool MayBeTime(const Expr& e) {
    if (e->args.size() != 2) return false;
    for (const Expr& part : e->args)
      if (part->kind != Kind::kNumber || part->number->get_den() != 1) return false;
    return *e->args[0]->number <= 24 && *e->args[1]->number < 60 &&
           (*e->args[1]->number >= 10 || *e->args[1]->number == 0);
  }

  Decision CompareRatios(const Expr& g, const Expr& p) {
    if (g->kind != Kind::kRatio || p->kind != Kind::kRatio) {
      const Expr& ratio = g->kind == Kind::kRatio ? g : p;
      const Expr& other = g->kind == Kind::kRatio ? p : g;
      if (ratio->args.size() != 2 || !IsPlain(other) || !IsPlain(ratio->args[0]) ||
          !IsPlain(ratio->args[1]))
        return Different(Tier::kStructure, "a ratio against another kind");
      if (MayBeTime(ratio)) return Different(Tier::kStructure, "a time of day against a number");
      // 5:3 as the number 5/3.
      return CompareValues(MakeNode(Kind::kDiv, {ratio->args[0], ratio->args[1]}), other,
                           deadline_);
    }
    if (g->args.size() != p->args.size())
      return Different(Tier::kStructure, "another number of parts");
    const Decision same = CompareInOrderOf(g->args, p->args);
    if (Holds(same) || (MayBeTime(g) && MayBeTime(p))) return same;
    return CompareScaled(g, p);
  }

  // 5:3 is 10:6: every cross product agrees.
  Decision CompareScaled(const Expr& g, const Expr& p) {
    Decision total = Equal(Tier::kExact, "up to scaling");
    for (size_t i = 0; i < g->args.size(); ++i) {
      if (!IsPlain(g->args[i]) || !IsPlain(p->args[i])) return Undecided("a ratio of other things");
      const auto is_zero = [](const Expr& e) {
        const ExactResult value = ExactValue(e);
        return value.status == EvalStatus::kValue && value.value == 0;
      };
      if (is_zero(g->args[i]) || is_zero(p->args[i])) return Different(Tier::kExact);
      if (i == 0) continue;
      total = Both(total, CompareValues(MakeProduct({g->args[0], p->args[i]}),
                                        MakeProduct({p->args[0], g->args[i]}), deadline_));
    }
    return total;
  }

  // --- piecewise ---

  // A function by cases: a formula on each of several sets of the one unknown.
  struct Case {
    Expr formula;
    RealSet where;
  };

  // Nothing where a condition is no set of reals in one unknown. One formula is one case.
  std::optional<std::vector<Case>> CasesOf(const Expr& e) {
    if (IsPlain(e)) return std::vector<Case>{{e, RealSet{{Piece{}}, "", true}}};
    if (e->kind != Kind::kPiecewise) return std::nullopt;
    std::vector<Case> cases;
    RealSet rest{{Piece{}}, "", true};
    for (size_t i = 0; i + 1 < e->args.size(); i += 2) {
      const Expr& condition = e->args[i + 1];
      const bool otherwise = condition->kind == Kind::kText &&
                             (condition->text == "otherwise" || condition->text == "else");
      if (otherwise && i + 2 != e->args.size()) return std::nullopt;
      auto set = otherwise ? rest : ReadRealSet(condition, deadline_);
      if (!set || !IsPlain(e->args[i])) return std::nullopt;
      auto left = DifferenceOf(rest, *set, deadline_);
      if (!left) return std::nullopt;
      rest.pieces = std::move(left->pieces);
      cases.push_back({e->args[i], std::move(*set)});
    }
    return cases;
  }

  // On each set where one case of either side holds, their formulas are compared.
  std::optional<Decision> CompareByPieces(const Expr& g, const Expr& p) {
    const auto left = CasesOf(g);
    const auto right = CasesOf(p);
    if (!left || !right) return std::nullopt;
    std::string variable;
    for (const auto* cases : {&*left, &*right})
      for (const Case& one : *cases)
        if (!one.where.variable.empty()) variable = one.where.variable;
    if (variable.empty()) return std::nullopt;
    for (const auto* cases : {&*left, &*right})
      for (const Case& one : *cases)
        if (!one.where.variable.empty() && one.where.variable != variable) return std::nullopt;
    Decision total = Equal(Tier::kSets);
    for (const Case& a : *left) {
      for (const Case& b : *right) {
        const auto both = IntersectionOf(a.where, b.where, deadline_);
        if (!both) return std::nullopt;
        for (const Piece& piece : both->pieces)
          total = Both(total, CompareOn(piece, variable, a.formula, b.formula));
        if (total.finding == Finding::kDifferent) return total;
      }
    }
    const Decision domains = CompareDomains(*left, *right);
    return domains.finding == Finding::kEqual ? total : Both(total, domains);
  }

  Decision CompareDomains(const std::vector<Case>& left, const std::vector<Case>& right) {
    const auto whole = [&](const std::vector<Case>& cases) -> std::optional<RealSet> {
      RealSet outside{{Piece{}}, "", true};
      for (const Case& one : cases) {
        auto rest = DifferenceOf(outside, one.where, deadline_);
        if (!rest) return std::nullopt;
        outside = std::move(*rest);
      }
      return outside;
    };
    const auto a = whole(left);
    const auto b = whole(right);
    if (!a || !b) return Undecided("conditions that cannot be ordered");
    return CompareRealSets(*a, *b, deadline_);
  }

  // Two formulas on an interval or at a point: the unknown is put in terms of one that runs freely.
  Decision CompareOn(const Piece& piece, const std::string& variable, const Expr& a,
                     const Expr& b) {
    const Expr free = MakeSymbol("free");
    const Expr square = MakeNode(Kind::kPow, {free, MakeInteger(2)});
    Expr value = free;
    if (piece.low && piece.high) {
      const bool point = Order(piece.low, piece.high, deadline_) == std::optional<int>(0);
      value = point ? piece.low
                    : MakeNode(Kind::kDiv, {MakeSum({piece.low, MakeProduct({piece.high, square})}),
                                            MakeSum({MakeInteger(1), square})});
    } else if (piece.low) {
      value = MakeSum({piece.low, square});
    } else if (piece.high) {
      value = Subtract(piece.high, square);
    }
    return CompareValues(Substitute(a, variable, value), Substitute(b, variable, value), deadline_);
  }

  Decision CompareCases(const Expr& g, const Expr& p) {
    if (const auto pieces = CompareByPieces(g, p)) return *pieces;
    if (g->kind != p->kind || g->args.size() != p->args.size())
      return g->kind == p->kind ? Undecided("another number of cases")
                                : Undecided("cases against one formula");
    // Pair up cases by their conditions; the order is free.
    std::vector<bool> used(p->args.size(), false);
    Decision total = Equal(Tier::kMatching);
    for (size_t i = 0; i + 1 < g->args.size(); i += 2) {
      std::optional<Decision> best;
      for (size_t j = 0; j + 1 < p->args.size(); j += 2) {
        if (used[j] || !Holds(Compare(g->args[i + 1], p->args[j + 1]))) continue;
        best = Compare(g->args[i], p->args[j]);
        used[j] = true;
        break;
      }
      if (!best) return Undecided("a condition without a partner");
      total = Both(total, *best);
    }
    return total;
  }

  // --- vectors and matrices ---

  static bool IsVector(const Expr& e) {
    return (e->kind == Kind::kTuple) || (IsMatrix(e) && (e->rows == 1 || e->columns == 1));
  }

  Decision CompareVectors(const Expr& g, const Expr& p) {
    if (g->kind == Kind::kTuple && p->kind == Kind::kTuple) return CompareTuples(g, p);
    if (IsMatrix(g) && IsMatrix(p) && g->rows != p->rows)
      return Different(Tier::kStructure, "a row against a column");
    return CompareInOrderOf(g->args, p->args);
  }

  Decision CompareMatrices(const Expr& g, const Expr& p) {
    if (const auto vectors = CompareUnitVectors(g, p)) return *vectors;
    if (!IsMatrix(g) || !IsMatrix(p)) {
      const Expr& matrix = IsMatrix(g) ? g : p;
      const Expr& other = IsMatrix(g) ? p : g;
      if (other->kind == Kind::kInterval && other->text == "[]" && IsVector(matrix))
        return CompareInOrderOf(g->args, p->args);
      if (Any(other, [](const Node& n) { return n.kind == Kind::kMatrix; }))
        return Undecided("a matrix inside an expression");
      if (IsPlain(other) && matrix->args.size() == 1)
        return IsMatrix(g) ? Compare(g->args[0], p) : Compare(g, p->args[0]);
      return Different(Tier::kStructure, "a matrix against another kind");
    }
    if (g->rows != p->rows || g->columns != p->columns)
      return Different(Tier::kStructure, "another shape");
    return CompareInOrderOf(g->args, p->args);
  }

  Decision CompareTuples(const Expr& g, const Expr& p) {
    return CompareInOrderOf(g->args, p->args);
  }

  static bool HasUnitVector(const Expr& e) {
    return Any(e, [](const Node& n) {
      return n.kind == Kind::kSymbol &&
             (n.text == "unit_i" || n.text == "unit_j" || n.text == "unit_k");
    });
  }

  // i + 2j against (1, 2): the parts along each unit vector.
  std::optional<Decision> CompareUnitVectors(const Expr& g, const Expr& p) {
    const bool left = IsPlain(g) && HasUnitVector(g) && IsVector(p);
    const bool right = IsPlain(p) && HasUnitVector(p) && IsVector(g);
    if (!left && !right) return std::nullopt;
    const Expr& sum = left ? g : p;
    const Expr& vector = left ? p : g;
    static const std::vector<std::string> names = {"unit_i", "unit_j", "unit_k"};
    if (vector->args.size() < 2 || vector->args.size() > 3)
      return Different(Tier::kStructure, "another dimension");
    std::vector<Expr> terms;
    for (size_t i = 0; i < vector->args.size(); ++i) {
      if (!IsPlain(vector->args[i])) return Undecided("a vector of other things");
      terms.push_back(MakeProduct({vector->args[i], MakeSymbol(names[i])}));
    }
    return CompareValues(sum, MakeSum(std::move(terms)), deadline_);
  }

  // --- sets ---

  static bool IsSetLike(const Expr& e) {
    switch (e->kind) {
      case Kind::kInterval:
      case Kind::kUnion:
      case Kind::kIntersection:
      case Kind::kDifference:
      case Kind::kNamedSet:
      case Kind::kSetBuilder:
      case Kind::kAnd:
      case Kind::kOr:
        return true;
      case Kind::kRelation:
        return !IsEqualityChain(e);
      default:
        return false;
    }
  }

  Decision CompareSets(const Expr& g, const Expr& p) {
    const auto left = ReadRealSet(g, deadline_);
    const auto right = ReadRealSet(p, deadline_);
    if (left && right) return CompareReadSets(g, *left, p, *right);
    const Expr g_whole = WholeNumbers(g);
    const Expr p_whole = WholeNumbers(p);
    if (g_whole || p_whole) return Compare(g_whole ? g_whole : g, p_whole ? p_whole : p);
    if (!IsSetLike(g) && !IsSetLike(p)) {
      if (g->kind != p->kind) return Different(Tier::kStructure, "different kinds");
      return Undecided("a kind that is not compared");
    }
    // x ∈ S against S, for sets that are not of reals.
    const auto member = [](const Expr& e) -> Expr {
      const bool is = e->kind == Kind::kRelation && e->text == std::string(1, kElementOf);
      return is ? e->args[1] : e;
    };
    const Expr a = member(g);
    const Expr b = member(p);
    if (a != g && b != p && CanonicalText(g->args[0]) != CanonicalText(p->args[0]))
      return Different(Tier::kStructure, "different unknowns");
    if (a != g || b != p) return Compare(a, b);
    return CompareUnreadSets(g, p);
  }

  // {x in Z | -1 <= x <= 2} as {-1, 0, 1, 2}; null where it is no small set of whole numbers.
  Expr WholeNumbers(const Expr& e) {
    if (e->kind != Kind::kSetBuilder) return nullptr;
    const Expr& element = e->args[0];
    const bool whole = element->kind == Kind::kRelation &&
                       element->text == std::string(1, kElementOf) &&
                       element->args[0]->kind == Kind::kSymbol &&
                       element->args[1]->kind == Kind::kNamedSet && element->args[1]->text == "Z";
    if (!whole) return nullptr;
    const auto set = ReadRealSet(e->args[1], deadline_);
    if (!set || (!set->variable.empty() && set->variable != element->args[0]->text)) return nullptr;
    std::vector<Expr> members;
    for (const Piece& piece : set->pieces) {
      if (!piece.low || !piece.high) return nullptr;
      const auto low = ParseDouble(Approximation(piece.low, 15));
      const auto high = ParseDouble(Approximation(piece.high, 15));
      if (!low || !high || !(*high - *low <= 100) || std::fabs(*low) > 1e9) return nullptr;
      for (auto k = static_cast<long>(std::floor(*low)) - 1; k <= *high + 1; ++k) {
        const Expr member = MakeInteger(k);
        const auto from = Order(piece.low, member, deadline_);
        const auto to = Order(member, piece.high, deadline_);
        if (!from || !to) return nullptr;
        const bool inside = (*from < 0 || (*from == 0 && piece.low_closed)) &&
                            (*to < 0 || (*to == 0 && piece.high_closed));
        if (inside) members.push_back(member);
      }
    }
    if (members.empty()) return MakeNode(Kind::kNamedSet, {}, "empty");
    return MakeNode(Kind::kSet, std::move(members));
  }

  Decision CompareReadSets(const Expr& g, const RealSet& left, const Expr& p,
                           const RealSet& right) {
    if (!left.variable.empty() && !right.variable.empty() && left.variable != right.variable) {
      // "x <= r" and "r >= x": one relation between two unknowns.
      if (g->kind == Kind::kRelation && p->kind == Kind::kRelation) return CompareChains(g, p);
      return Different(Tier::kStructure, "different unknowns");
    }
    const bool echo = !right.solved && left.solved;
    if (echo || (policy_.symmetric && left.solved != right.solved))
      return Different(Tier::kStructure, "an unsolved relation against a solved one");
    return CompareRealSets(left, right, deadline_);
  }

  Decision CompareUnreadSets(const Expr& g, const Expr& p) {
    if (g->kind == Kind::kRelation && p->kind == Kind::kRelation) return CompareChains(g, p);
    const bool commuting = g->kind == Kind::kUnion || g->kind == Kind::kIntersection ||
                           g->kind == Kind::kAnd || g->kind == Kind::kOr;
    if (g->kind == p->kind && commuting) {
      const Decision matched = Match(g->args, p->args, false);
      return Holds(matched) ? matched : Undecided("sets that cannot be ordered");
    }
    if (g->kind == p->kind && g->args.size() == p->args.size() && g->text == p->text &&
        !g->args.empty()) {
      const Decision ordered = CompareInOrder(g, p);
      return Holds(ordered) || g->kind == Kind::kInterval ? ordered
                                                          : Undecided("sets that cannot be solved");
    }
    const bool value = IsPlain(g) || IsPlain(p) || g->kind == Kind::kText || p->kind == Kind::kText;
    if (value) return Different(Tier::kStructure, "a set against another kind");
    if (g->kind == Kind::kNamedSet && p->kind == Kind::kNamedSet)
      return Different(Tier::kStructure, "different sets");
    return Undecided("sets that cannot be read");
  }

  // Relations between several unknowns: the same links, up to positive factors and direction.
  struct Link {
    char op;
    Expr difference;  // left - right
  };

  static std::vector<Link> LinksOf(const Expr& chain) {
    std::vector<Link> links;
    for (size_t i = 0; i < chain->text.size(); ++i) {
      char op = chain->text[i];
      Expr left = chain->args[i];
      Expr right = chain->args[i + 1];
      if (op == kGreater || op == kGreaterEqual) {
        std::swap(left, right);
        op = op == kGreater ? kLess : kLessEqual;
      }
      if (!IsPlain(left) || !IsPlain(right)) return {};
      links.push_back({op, Subtract(left, right)});
    }
    return links;
  }

  Decision CompareChains(const Expr& g, const Expr& p) {
    const std::vector<Link> left = LinksOf(g);
    std::vector<Link> right = LinksOf(p);
    if (left.empty() || right.empty()) return Undecided("relations that cannot be compared");
    if (left.size() != right.size())
      return Different(Tier::kMatching, "another number of relations");
    Decision total = Equal(Tier::kMatching);
    for (const Link& link : left) {
      std::optional<Decision> found;
      for (size_t j = 0; j < right.size() && !found; ++j) {
        if (right[j].op != link.op) continue;
        const bool directed = link.op == kLess || link.op == kLessEqual;
        const Decision decision =
            Proportional(link.difference, right[j].difference, directed, deadline_);
        if (!Holds(decision)) continue;
        found = decision;
        right.erase(right.begin() + static_cast<long>(j));
      }
      if (!found) return Different(Tier::kMatching, "a relation without a partner");
      total = Both(total, *found);
    }
    return total;
  }

  const Policy& policy_;
  const Deadline& deadline_;
  int calls_ = 0;
};

}  // namespace

Expr Normalise(const Expr& e) {
  if (e->args.empty()) return NormaliseNode(e);
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = Normalise(arg);
  return NormaliseNode(copy);
}

Decision Compare(const Expr& reference, const Expr& answer, const Policy& policy,
                 const Deadline& deadline) {
  return Comparer(policy, deadline).Compare(reference, answer);
}

}  // namespace assay::algebra
