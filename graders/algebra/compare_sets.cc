// Vectors, matrices and tuples; sets of numbers and chains of inequalities.
#include "graders/algebra/comparer.h"

#include <cmath>
#include <utility>

#include "harness/text.h"

namespace assay::algebra {

// --- vectors and matrices ---

Decision Comparer::CompareVectors(const Expr& g, const Expr& p) {
  if (g->kind == Kind::kTuple && p->kind == Kind::kTuple) return CompareTuples(g, p);
  if (IsMatrix(g) && IsMatrix(p) && g->rows != p->rows)
    return Different(Tier::kStructure, "a row against a column");
  return CompareInOrderOf(g->args, p->args);
}

Decision Comparer::CompareMatrices(const Expr& g, const Expr& p) {
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

bool Comparer::HasUnitVector(const Expr& e) {
  return Any(e, [](const Node& n) {
    return n.kind == Kind::kSymbol &&
           (n.text == "unit_i" || n.text == "unit_j" || n.text == "unit_k");
  });
}

// i + 2j against (1, 2): the parts along each unit vector.
std::optional<Decision> Comparer::CompareUnitVectors(const Expr& g, const Expr& p) {
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

bool Comparer::IsSetLike(const Expr& e) {
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

Decision Comparer::CompareSets(const Expr& g, const Expr& p) {
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
Expr Comparer::WholeNumbers(const Expr& e) {
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

Decision Comparer::CompareReadSets(const Expr& g, const RealSet& left, const Expr& p,
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

Decision Comparer::CompareUnreadSets(const Expr& g, const Expr& p) {
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

std::vector<Comparer::Link> Comparer::LinksOf(const Expr& chain) {
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

Decision Comparer::CompareChains(const Expr& g, const Expr& p) {
  const std::vector<Link> left = LinksOf(g);
  std::vector<Link> right = LinksOf(p);
  if (left.empty() || right.empty()) return Undecided("relations that cannot be compared");
  if (left.size() != right.size()) return Different(Tier::kMatching, "another number of relations");
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

}  // namespace assay::algebra
