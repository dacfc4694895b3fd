// The comparison by kinds. What is special: reference and answer have different roles in two places
// only, rounding and the rule against echoing an unsolved problem; everything else is symmetric.
//
// One class in several files, by the kind: compare.cc (values, families), compare_statements.cc,
// compare_collections.cc, compare_units.cc, compare_sets.cc. One comparison, one thread.
#pragma once

#include <gmpxx.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graders/algebra/compare.h"
#include "graders/algebra/decide.h"
#include "graders/algebra/node.h"
#include "graders/algebra/normal_form.h"
#include "graders/algebra/real_set.h"
#include "graders/algebra/units.h"

namespace assay::algebra {

inline Decision Different(Tier tier, std::string note = "") {
  return {Finding::kDifferent, tier, 0, std::move(note)};
}
inline Decision Equal(Tier tier, std::string note = "") {
  return {Finding::kEqual, tier, 0, std::move(note)};
}
inline Decision Undecided(std::string note) {
  return {Finding::kUndecided, Tier::kStructure, 0, std::move(note)};
}

// "x = 1/3 ≈ 0.33": a name, and the values that the chain gives it.
struct Named {
  Expr target;               // null where there is none
  std::vector<Expr> values;  // in order; the last is the answer
  std::string links;         // between them
};

// A function letter with letters as arguments is a definition: f(x) = ...
bool IsFunctionTarget(const Expr& e);
bool Mentions(const Expr& e, const Expr& name);
bool IsEqualityChain(const Expr& e);
// The chain read as a name with its values; nothing where it is an equation.
std::optional<Named> ReadNamed(const Expr& e);

class Comparer {
 public:
  Comparer(const Policy& policy, const Deadline& deadline) : policy_(policy), deadline_(deadline) {}
  Decision Compare(const Expr& g, const Expr& p);

 private:
  static bool IsLabelledPoint(const Expr& e);
  Decision SameTree(const Expr& e);

  // --- leaves ---
  Decision CompareLeaves(const Expr& g, const Expr& p);
  static bool MayBePartOfAngle(const Expr& g, const Expr& p);
  bool AgreeAtWholeNumbers(const Expr& g, const Expr& p);
  static bool IsDecimal(const Expr& e);
  static std::string Digits(const Expr& e) {
    return e->kind == Kind::kNeg ? Digits(e->args[0]) : e->text;
  }
  static int Places(const std::string& text);
  static int SignificantDigits(const std::string& text);
  static mpq_class TenToMinus(int places);
  bool NeverEnds(const Expr& e);
  std::optional<Decision> Rounded(const Expr& g, const Expr& p);
  static mpq_class ApproximateSize(const Expr& e);
  static bool SameDigits(const Expr& g, const Expr& p, int digits);

  // --- ± ---
  Decision CompareSigned(const Expr& g, const Expr& p);
  static bool HasSet(const Expr& e) { return e->kind == Kind::kSet; }
  static std::optional<std::vector<Expr>> SignedItems(const Expr& e);

  // --- congruences and bases ---
  Decision CompareModulo(const Expr& g, const Expr& p);
  std::optional<Decision> CompareWithFamily(const Expr& with, const Expr& modulus,
                                            const Expr& other);
  Decision CompareResidues(const Expr& g, const Expr& p, const Decision& otherwise);

  // --- families: "k\pi, k \in \mathbb{Z}" ---
  struct Family {
    std::vector<Expr> items;
    Expr parameter;
    Expr range;
  };
  static std::optional<Family> FamilyOf(const Expr& e);
  static Expr AsItems(const std::vector<Expr>& items) {
    return items.size() == 1 ? items[0] : MakeNode(Kind::kList, items);
  }
  std::optional<Decision> CompareFamilies(const Expr& g, const Expr& p);
  std::optional<Decision> CompareLines(const Family& left, const Family& right);
  Decision CompareTargets(const Expr& g, const Expr& p);
  static std::optional<mpq_class> ValueInBase(const Node& based);
  Decision CompareBases(const Expr& g, const Expr& p);

  // --- statements ---
  static bool SameTarget(const Expr& a, const Expr& b);
  static std::optional<Named> Renamed(const Named& answer, const Named& reference);
  Decision CompareStatements(const Expr& g, const Expr& p);
  bool Consistent(const Named& named);
  bool Contradicts(const Named& named);
  Decision CompareValuesOf(const Named& named, const Expr& other, bool named_is_reference);
  Decision CompareNamed(const Expr& g, const Named& left, const Expr& p, const Named& right);
  static bool IsEquation(const Expr& e) {
    return IsEqualityChain(e) && e->args.size() == 2 && IsPlain(e->args[0]) && IsPlain(e->args[1]);
  }
  static bool IsEquationInSeveral(const Expr& e) {
    return IsEquation(e) && UnknownsOf(Difference(e)).size() > 1;
  }
  static Expr Difference(const Expr& equation) {
    return Subtract(equation->args[0], equation->args[1]);
  }
  static bool IsSolved(const Expr& e);
  Decision CompareEquations(const Expr& g, const Expr& p);
  Decision CompareWithSolution(const Expr& reference, const Expr& answer, const Expr& solved);
  static bool HasDenominator(const Expr& e) {
    return Any(e, [](const Node& n) { return n.kind == Kind::kDiv && !IsConstant(n.args[1]); });
  }
  static Expr Numerator(const Expr& sum);
  Decision CompareInOrder(const Expr& g, const Expr& p);
  static Decision Both(const Decision& a, const Decision& b);

  // --- collections ---
  static bool IsCollection(const Expr& e) {
    return e->kind == Kind::kList || e->kind == Kind::kSet || e->kind == Kind::kSystem;
  }
  static bool IsAssignment(const Expr& e);
  static std::string BaseName(const Expr& target);
  static bool IsSystemOfAssignments(const std::vector<Expr>& items);
  static std::vector<Expr> WithoutNames(const std::vector<Expr>& items);
  static std::string NameOf(const std::vector<Expr>& items);
  static std::vector<Expr> ItemsOf(const Expr& e);
  static bool AreInequalities(const Expr& e) {
    return e->kind == Kind::kList && std::all_of(e->args.begin(), e->args.end(), IsSetLike);
  }
  static Expr MeasureOfParts(const Expr& e);
  Decision CompareCollections(const Expr& g, const Expr& p);
  Decision CompareSystems(const std::vector<Expr>& left, const std::vector<Expr>& right);
  static std::vector<Expr> InNameOrder(const std::vector<Expr>& assignments);
  Decision CompareInOrderOf(const std::vector<Expr>& left, const std::vector<Expr>& right);
  std::vector<Expr> Distinct(const std::vector<Expr>& items);
  Decision Match(std::vector<Expr> left, std::vector<Expr> right, bool as_sets);
  Decision MatchAll(const std::vector<Expr>& left, const std::vector<Expr>& right);
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
  static Measure Read(const Expr& e);
  Decision CompareWrapped(const Expr& g, const Expr& p);
  // "20\% increase": a noun says what it is a part of, and may be left out on one side.
  static bool IsPercentOfNoun(const Measure& m) {
    return m.kind == Kind::kQuantity && m.value->kind == Kind::kPercent && !m.unit.known;
  }
  Decision CompareMeasures(const Measure& left, const Measure& right);
  static Expr WithoutUnitLetter(const Expr& product, std::string_view unit);
  Decision ComparePercents(const Measure& left, const Measure& right);
  Decision CompareDegrees(const Measure& left, const Measure& right);
  static Expr Kelvins(const Measure& m);
  Decision CompareTemperatures(const Measure& left, const Measure& right);
  Decision CompareUnits(const Measure& left, const Measure& right);
  static Expr OnTheClockOf(const Expr& other, const Measure& time);
  static bool IsHalfDay(const Measure& m) { return m.unit_text == "am" || m.unit_text == "pm"; }

  // --- words ---
  static bool SaysThereIsNone(std::string_view words) {
    return words == "dne" || words == "does not exist" || words == "doesn't exist";
  }
  static Decision CompareTexts(const Expr& g, const Expr& p);

  // --- ratios ---
  static bool MayBeTime(const Expr& e);
  Decision CompareRatios(const Expr& g, const Expr& p);
  Decision CompareScaled(const Expr& g, const Expr& p);

  // --- piecewise ---
  // A function by cases: a formula on each of several sets of the one unknown.
  struct Case {
    Expr formula;
    RealSet where;
  };
  std::optional<std::vector<Case>> CasesOf(const Expr& e);
  std::optional<Decision> CompareByPieces(const Expr& g, const Expr& p);
  Decision CompareDomains(const std::vector<Case>& left, const std::vector<Case>& right);
  Decision CompareOn(const Piece& piece, const std::string& variable, const Expr& a, const Expr& b);
  Decision CompareCases(const Expr& g, const Expr& p);

  // --- vectors and matrices ---
  static bool IsVector(const Expr& e) {
    return (e->kind == Kind::kTuple) || (IsMatrix(e) && (e->rows == 1 || e->columns == 1));
  }
  Decision CompareVectors(const Expr& g, const Expr& p);
  Decision CompareMatrices(const Expr& g, const Expr& p);
  Decision CompareTuples(const Expr& g, const Expr& p) {
    return CompareInOrderOf(g->args, p->args);
  }
  static bool HasUnitVector(const Expr& e);
  std::optional<Decision> CompareUnitVectors(const Expr& g, const Expr& p);

  // --- sets ---
  static bool IsSetLike(const Expr& e);
  Decision CompareSets(const Expr& g, const Expr& p);
  Expr WholeNumbers(const Expr& e);
  Decision CompareReadSets(const Expr& g, const RealSet& left, const Expr& p, const RealSet& right);
  Decision CompareUnreadSets(const Expr& g, const Expr& p);
  // Relations between several unknowns: the same links, up to positive factors and direction.
  struct Link {
    char op;
    Expr difference;  // left - right
  };
  static std::vector<Link> LinksOf(const Expr& chain);
  Decision CompareChains(const Expr& g, const Expr& p);

  const Policy& policy_;
  const Deadline& deadline_;
  int calls_ = 0;
};

}  // namespace assay::algebra
