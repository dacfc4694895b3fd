// Units out of sums, ± into lists, matrices computed, words that name sets read.
#include "graders/algebra/normal_form.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "graders/algebra/compare.h"
#include "graders/algebra/units.h"
#include "graders/algebra/words.h"

namespace assay::algebra {

bool IsMembership(const Expr& e) {
  return e->kind == Kind::kRelation && e->text == std::string(1, kElementOf) &&
         e->args[0]->kind == Kind::kSymbol && e->args[1]->kind == Kind::kNamedSet;
}

namespace {

constexpr size_t kMaxSignChoices = 16;

// --- normal forms ---

// Sums and products that hold matrices are carried out.

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

}  // namespace

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

Expr Normalise(const Expr& e) {
  if (e->args.empty()) return NormaliseNode(e);
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = Normalise(arg);
  return NormaliseNode(copy);
}

}  // namespace assay::algebra
