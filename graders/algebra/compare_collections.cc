// Lists, sets of items, systems and cases: items are matched with items.
#include "graders/algebra/comparer.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace assay::algebra {
namespace {

constexpr size_t kMaxMatching = 256;

}  // namespace

// --- collections ---

bool Comparer::IsAssignment(const Expr& e) {
  const auto named = ReadNamed(e);
  return named && named->target;
}

std::string Comparer::BaseName(const Expr& target) {
  if (target->kind != Kind::kSymbol) return CanonicalText(target);
  return target->text.substr(0, target->text.find("_{"));
}

// Whether every part gives a value to a name of its own: "a = 1, b = 2".
bool Comparer::IsSystemOfAssignments(const std::vector<Expr>& items) {
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
std::vector<Expr> Comparer::WithoutNames(const std::vector<Expr>& items) {
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

std::string Comparer::NameOf(const std::vector<Expr>& items) {
  for (const Expr& item : items) {
    const auto named = ReadNamed(item);
    if (named && named->target) return BaseName(named->target);
  }
  return "";
}

std::vector<Expr> Comparer::ItemsOf(const Expr& e) {
  if (IsCollection(e)) return e->args;
  return {e};
}

// "1 hour, 30 minutes": one measure in parts, the larger first; null where it is none.
Expr Comparer::MeasureOfParts(const Expr& e) {
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

Decision Comparer::CompareCollections(const Expr& g, const Expr& p) {
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
  if (right_system && g->kind == Kind::kTuple) return CompareInOrderOf(g->args, InNameOrder(right));
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

Decision Comparer::CompareSystems(const std::vector<Expr>& left, const std::vector<Expr>& right) {
  if (left.size() != right.size()) return Different(Tier::kMatching, "another number of parts");
  return Match(left, right, false);
}

std::vector<Expr> Comparer::InNameOrder(const std::vector<Expr>& assignments) {
  std::map<std::string, Expr> by_name;
  for (const Expr& assignment : assignments) {
    const auto named = ReadNamed(assignment);
    by_name[Readable(named->target)] = named->values.back();
  }
  std::vector<Expr> values;
  for (const auto& [name, value] : by_name) values.push_back(value);
  return values;
}

Decision Comparer::CompareInOrderOf(const std::vector<Expr>& left, const std::vector<Expr>& right) {
  if (left.size() != right.size()) return Different(Tier::kMatching, "another number of parts");
  Decision total = Equal(Tier::kMatching);
  for (size_t i = 0; i < left.size(); ++i) {
    total = Both(total, Compare(left[i], right[i]));
    if (total.finding == Finding::kDifferent) return total;
  }
  return total;
}

// Repeated members of a set count once.
std::vector<Expr> Comparer::Distinct(const std::vector<Expr>& items) {
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
Decision Comparer::Match(std::vector<Expr> left, std::vector<Expr> right, bool as_sets) {
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

Decision Comparer::MatchAll(const std::vector<Expr>& left, const std::vector<Expr>& right) {
  const size_t n = left.size();
  std::vector<std::vector<std::optional<Decision>>> table(n,
                                                          std::vector<std::optional<Decision>>(n));
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

// --- piecewise ---

// Nothing where a condition is no set of reals in one unknown. One formula is one case.
std::optional<std::vector<Comparer::Case>> Comparer::CasesOf(const Expr& e) {
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
std::optional<Decision> Comparer::CompareByPieces(const Expr& g, const Expr& p) {
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

Decision Comparer::CompareDomains(const std::vector<Case>& left, const std::vector<Case>& right) {
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
Decision Comparer::CompareOn(const Piece& piece, const std::string& variable, const Expr& a,
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

Decision Comparer::CompareCases(const Expr& g, const Expr& p) {
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

}  // namespace assay::algebra
