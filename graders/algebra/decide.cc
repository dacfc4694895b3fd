// The tiers. What is special: a refutation is always certain (a ball that excludes zero, or exact
// arithmetic), and so is a proof; what lies between is "numeric" with its digits, or undecided.
#include "graders/algebra/decide.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "graders/algebra/engines.h"
#include "graders/algebra/evaluate.h"
#include "graders/algebra/exponentials.h"
#include "graders/algebra/limits.h"

namespace assay::algebra {
namespace {

constexpr int kPoints = 10;       // at which unknowns are tried
constexpr int kEnoughPoints = 4;  // valid ones that a numeric verdict needs
constexpr long kPointPrecision = 256;
constexpr long kDeepPrecision = 1024;

std::chrono::nanoseconds ThreadTime() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// --- unknowns ---

struct Unknown {
  bool integer = false;  // under a factorial, in the bounds of a sum, in (-1)^n, n under a floor
};

struct Unknowns {
  std::map<std::string, Unknown> by_key;
  bool opaque_value = false;  // an infinite sum, a limit: it has a value that nothing here computes
  bool imaginary = false;     // i occurs
  bool jumps = false;         // floor and the like: no proof by a point
};

bool HasValueOfItsOwn(std::string_view function) {
  return function.substr(0, 9) == "unbounded" || function == "int" || function == "zeta" ||
         function.substr(0, 7) == "accent:" || function == "norm" || function == "bullet" ||
         function == "wedge" || function == "transpose" || function == "det" ||
         function.substr(0, 10) == "subscript:" || function.substr(0, 12) == "superscript:" ||
         function.substr(0, 5) == "prime" || function == "not" || function == "tr" ||
         function == "rank" || function == "dim" || function == "sup" || function == "inf";
}

// Whether all its unknowns have the names of whole numbers: \lfloor n/2 \rfloor, not of an x.
bool OnlyCounts(const Expr& e) {
  if (e->kind == Kind::kSymbol)
    return e->text == "n" || e->text == "m" || e->text == "k" || e->text == "i" || e->text == "j";
  return std::all_of(e->args.begin(), e->args.end(), OnlyCounts);
}

void Collect(const Expr& e, bool integer, std::set<std::string>* bound, Unknowns* out) {
  if (e->kind == Kind::kConstant && e->text == "i") out->imaginary = true;
  if (IsUnknown(*e)) {
    const std::string key = SymbolKey(*e);
    if (bound->count(key)) return;
    Unknown& unknown = out->by_key[key];
    unknown.integer = unknown.integer || integer;
    if (e->kind == Kind::kCall && HasValueOfItsOwn(e->text)) out->opaque_value = true;
    return;
  }
  if (e->kind == Kind::kCall && (e->text == "sum" || e->text == "prod" || e->text == "int")) {
    if (e->text == "int") out->opaque_value = true;
    Collect(e->args[1], true, bound, out);
    Collect(e->args[2], true, bound, out);
    const std::string counter = SymbolKey(*e->args[0]);
    const bool fresh = bound->insert(counter).second;
    Collect(e->args[3], integer, bound, out);
    if (fresh) bound->erase(counter);
    return;
  }
  bool inner = integer;
  if (e->kind == Kind::kCall) {
    if (e->text == "factorial" || e->text == "doublefactorial" || e->text == "binom" ||
        e->text == "gcd" || e->text == "lcm" || e->text == "mod")
      inner = true;
    if (e->text == "floor" || e->text == "ceil" || e->text == "sgn") out->jumps = true;
    if (e->text == "floor" || e->text == "ceil") {
      Collect(e->args[0], integer || OnlyCounts(e->args[0]), bound, out);
      return;
    }
  }
  if (e->kind == Kind::kPow) {
    // (-1)^n has a real value at whole n only.
    const ExactResult base = ExactValue(e->args[0]);
    const bool negative = (base.status == EvalStatus::kValue && base.value < 0) ||
                          (e->args[0]->kind == Kind::kConstant && e->args[0]->text == "i");
    Collect(e->args[0], integer, bound, out);
    Collect(e->args[1], integer || negative, bound, out);
    return;
  }
  for (const Expr& arg : e->args) Collect(arg, inner, bound, out);
}

Unknowns UnknownsIn(const Expr& a, const Expr& b) {
  Unknowns unknowns;
  std::set<std::string> bound;
  Collect(a, false, &bound, &unknowns);
  Collect(b, false, &bound, &unknowns);
  return unknowns;
}

bool HasInfinity(const Expr& e) {
  return Any(e, [](const Node& n) { return n.kind == Kind::kConstant && n.text == "inf"; });
}

// Whether a division by an exact zero, or the like, is written somewhere in it.
bool IsUndefined(const Expr& e) {
  if ((e->kind == Kind::kDiv || e->kind == Kind::kPow || e->kind == Kind::kCall) &&
      !IsUnknown(*e) && ExactValue(e).status == EvalStatus::kUndefined)
    return true;
  return std::any_of(e->args.begin(), e->args.end(), IsUndefined);
}

// --- constants ---

using BallBindings = Walker<BallEngine>::Bindings;

struct BallPair {
  std::optional<BallEngine::Value> a;
  std::optional<BallEngine::Value> b;
  EngineStatus a_status = EngineStatus::kOk;
  EngineStatus b_status = EngineStatus::kOk;
};

BallPair EvaluateBalls(const Expr& a, const Expr& b, const BallBindings& bindings,
                       const ExactBindings& exact, long precision, bool real) {
  BallPair pair;
  BallEngine first(precision, real);
  pair.a = Walker<BallEngine>(first, bindings, exact).Walk(a);
  pair.a_status = first.status;
  BallEngine second(precision, real);
  pair.b = Walker<BallEngine>(second, bindings, exact).Walk(b);
  pair.b_status = second.status;
  return pair;
}

Decision Different(Tier tier, std::string note = "") {
  return {Finding::kDifferent, tier, 0, std::move(note)};
}
Decision Equal(Tier tier, std::string note = "") {
  return {Finding::kEqual, tier, 0, std::move(note)};
}
Decision Undecided(std::string note) {
  return {Finding::kUndecided, Tier::kNone, 0, std::move(note)};
}
Decision Undefined(Tier tier) { return {Finding::kUndefined, tier, 0, "a side has no value"}; }

// Balls of growing precision: different where they part, else the comparison of the most digits.
std::optional<Decision> CompareByBalls(const Expr& a, const Expr& b,
                                       std::initializer_list<long> bits, const Deadline& deadline,
                                       BallComparison* best) {
  for (const long precision : bits) {
    if (deadline.Passed()) return std::nullopt;
    const BallPair pair = EvaluateBalls(a, b, {}, {}, precision, false);
    if ((!pair.a && pair.a_status == EngineStatus::kUndefined) ||
        (!pair.b && pair.b_status == EngineStatus::kUndefined))
      return Undefined(Tier::kBalls);
    if ((!pair.a && pair.a_status == EngineStatus::kUnsupported) ||
        (!pair.b && pair.b_status == EngineStatus::kUnsupported))
      return Undecided("a function that cannot be evaluated");
    if (!pair.a || !pair.b) continue;
    const BallComparison comparison = CompareBalls(*pair.a, *pair.b, precision);
    if (comparison.different) return Different(Tier::kBalls);
    if (comparison.digits > best->digits) *best = comparison;
  }
  return std::nullopt;
}

std::optional<Decision> CompareByCalcium(const Expr& a, const Expr& b) {
  CalciumEngine engine;
  const Walker<CalciumEngine>::Bindings none;
  const auto left = Walker<CalciumEngine>(engine, none, {}).Walk(a);
  if (!left) {
    if (engine.status == EngineStatus::kUndefined) return Undefined(Tier::kCalcium);
    return std::nullopt;
  }
  const auto right = Walker<CalciumEngine>(engine, none, {}).Walk(b);
  if (!right) {
    if (engine.status == EngineStatus::kUndefined) return Undefined(Tier::kCalcium);
    return std::nullopt;
  }
  const auto minus = engine.Negate(*right);
  if (!minus) return std::nullopt;
  const auto difference = engine.Add(*left, *minus);
  if (!difference) return std::nullopt;
  const std::optional<bool> zero = engine.IsZero(*difference);
  if (!zero) return std::nullopt;
  return *zero ? Equal(Tier::kCalcium) : Different(Tier::kCalcium);
}

std::optional<Decision> CompareByAlgebra(const Expr& a, const Expr& b) {
  AlgebraicEngine engine;
  const Walker<AlgebraicEngine>::Bindings none;
  const auto left = Walker<AlgebraicEngine>(engine, none, {}).Walk(a);
  if (!left) return std::nullopt;
  const auto right = Walker<AlgebraicEngine>(engine, none, {}).Walk(b);
  if (!right) return std::nullopt;
  const std::optional<bool> equal = engine.Equal(*left, *right);
  if (!equal) return std::nullopt;
  return *equal ? Equal(Tier::kAlgebraic) : Different(Tier::kAlgebraic);
}

// Integrals are replaced by their balls' values: they compare numerically only.
Decision CompareWithIntegral(const Expr& a, const Expr& b) {
  constexpr long kPrecision = 256;
  const auto value = [&](const Expr& e) -> std::optional<BallEngine::Value> {
    if (e->kind == Kind::kCall && e->text == "int") return Integrate(e, kPrecision);
    BallEngine engine(kPrecision, false);
    return Walker<BallEngine>(engine, {}, {}).Walk(e);
  };
  const auto left = value(a);
  const auto right = value(b);
  if (!left || !right) return Undecided("an integral");
  const BallComparison comparison = CompareBalls(*left, *right, kPrecision);
  if (comparison.different) return Different(Tier::kBalls);
  return {Finding::kNumeric, Tier::kBalls, comparison.digits, "by numerical integration"};
}

Decision CompareConstants(const Expr& a, const Expr& b, const Deadline& deadline) {
  const auto is_integral = [](const Node& n) { return n.kind == Kind::kCall && n.text == "int"; };
  if (Any(a, is_integral) || Any(b, is_integral)) return CompareWithIntegral(a, b);
  BallComparison best;
  if (const auto early = CompareByBalls(a, b, {64, 128, 256}, deadline, &best)) return *early;
  if (!deadline.Passed())
    if (const auto exact = CompareByCalcium(a, b)) return *exact;
  if (!deadline.Passed())
    if (const auto exact = CompareByAlgebra(a, b)) return *exact;
  if (const auto late = CompareByBalls(a, b, {1024, 4096}, deadline, &best)) return *late;
  if (best.digits == 0) return Undecided("no tier can evaluate both sides");
  // 10^(10^9) and its successor agree in every digit that is looked at.
  if (best.whole_digits > best.digits / 2) return Undecided("numbers too large to tell apart");
  return {Finding::kNumeric, Tier::kBalls, best.digits, ""};
}

// --- unknowns at points ---

// A fixed sequence, so that verdicts never change between runs.
class Sequence {
 public:
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  uint64_t state_ = 0x9E3779B97F4A7C15ull;
};

// A real in (0.1, 4.1) with a large prime denominator, so that no coincidence is likely; `shape`
// says which signs and sizes a point has.
mpq_class RealCoordinate(Sequence* sequence, int shape) {
  const long above = static_cast<long>(sequence->Next() % 4'000'000) + 100'003;
  mpq_class value(above, 1'000'003);
  value.canonicalize();
  if (shape % 4 == 2) value /= 5;  // small: inside (-1, 1), where arcsin and √(1-x²) live
  if (shape % 4 == 3) value *= 13;
  const bool negative = shape >= 2 && sequence->Next() % 2 == 0;
  return negative ? mpq_class(-value) : value;
}
// The last points of whole numbers are so large that a factorial or a sum may be beyond the limits
// there; then they say nothing.
constexpr int kFarPoints = 3;
bool IsFarOut(int shape) { return shape >= 2 * kPoints - kFarPoints; }

mpq_class IntegerCoordinate(Sequence* sequence, int shape) {
  // A few large ones: \lfloor n/1000 \rfloor is not 0.
  if (IsFarOut(shape)) {
    static constexpr std::array<long, kFarPoints> bounds = {900, 1'000'000, 1'000'000'000};
    const long bound = bounds[static_cast<size_t>(shape - 2 * kPoints + kFarPoints)];
    return mpq_class(static_cast<long>(sequence->Next() % static_cast<uint64_t>(bound)) +
                     bound / 9);
  }
  return mpq_class(static_cast<long>(sequence->Next() % (shape < 4 ? 6 : 14)) +
                   (shape < 2 ? 4 : 1));
}

ExactBindings PointOf(const Unknowns& unknowns, Sequence* sequence, int shape) {
  ExactBindings point;
  for (const auto& [key, unknown] : unknowns.by_key)
    point[key] =
        unknown.integer ? IntegerCoordinate(sequence, shape) : RealCoordinate(sequence, shape);
  // One of the points has every real unknown negative.
  if (shape == 4)
    for (auto& [key, value] : point)
      if (!unknowns.by_key.at(key).integer) value = -abs(value);
  return point;
}

struct PointSurvey {
  bool different = false;
  int agreeing = 0;
  int digits = 1 << 20;   // the fewest
  int one_sided = 0;      // points where only one side has a value
  bool branches = false;  // at one of them the complex values differ
  bool unsupported = false;
};

bool DifferAsComplex(const Expr& a, const Expr& b, const ExactBindings& point) {
  const BallPair pair = EvaluateBalls(a, b, {}, point, kPointPrecision, false);
  return pair.a && pair.b && CompareBalls(*pair.a, *pair.b, kPointPrecision).different;
}

// One point; balls that cannot be told apart for want of precision are tried once more.
void TryPoint(const Expr& a, const Expr& b, const ExactBindings& point, bool real,
              PointSurvey* survey) {
  for (const long precision : {kPointPrecision, kDeepPrecision}) {
    const BallPair pair = EvaluateBalls(a, b, {}, point, precision, real);
    if (!pair.a && pair.a_status == EngineStatus::kUnsupported) survey->unsupported = true;
    if (!pair.b && pair.b_status == EngineStatus::kUnsupported) survey->unsupported = true;
    if (survey->unsupported) return;
    const bool imprecise = (!pair.a && pair.a_status == EngineStatus::kImprecise) ||
                           (!pair.b && pair.b_status == EngineStatus::kImprecise);
    if (imprecise) continue;
    if (!pair.a != !pair.b) {
      ++survey->one_sided;
      if (real && !survey->branches) survey->branches = DifferAsComplex(a, b, point);
    }
    if (!pair.a || !pair.b) return;
    const BallComparison comparison = CompareBalls(*pair.a, *pair.b, precision);
    if (comparison.different) {
      survey->different = true;
      return;
    }
    if (comparison.digits < 30 && precision != kDeepPrecision) continue;
    ++survey->agreeing;
    survey->digits = std::min(survey->digits, comparison.digits);
    return;
  }
}

PointSurvey Survey(const Expr& a, const Expr& b, const Unknowns& unknowns, bool real,
                   const Deadline& deadline) {
  PointSurvey survey;
  Sequence sequence;
  const bool integers = std::any_of(unknowns.by_key.begin(), unknowns.by_key.end(),
                                    [](const auto& entry) { return entry.second.integer; });
  const int points = integers ? 2 * kPoints : kPoints;
  for (int shape = 0; shape < points && !deadline.Passed(); ++shape) {
    TryPoint(a, b, PointOf(unknowns, &sequence, shape), real, &survey);
    if (IsFarOut(shape)) survey.unsupported = false;
    if (survey.different || survey.unsupported) break;
  }
  return survey;
}

// --- generic points ---

// e^{√2}, e^{√3}, e^{√5}, ... are algebraically independent (Lindemann-Weierstrass): an identity of
// algebraic functions that holds there holds wherever both sides are analytic continuations of what
// they are there. Signs and inverses are independent too.
Expr GenericValue(size_t index, bool negative, bool inverse) {
  static constexpr std::array<long, 12> primes = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  const Expr root =
      MakeNode(Kind::kRoot, {MakeInteger(primes[index % primes.size()]), MakeInteger(2)});
  const Expr exponent = inverse ? Negate(root) : root;
  const Expr power = MakeNode(Kind::kPow, {MakeConstant("e"), exponent});
  return negative ? Negate(power) : power;
}

Expr BindAll(const Expr& e, const std::map<std::string, Expr>& values) {
  if (IsUnknown(*e)) {
    const auto found = values.find(SymbolKey(*e));
    return found == values.end() ? e : found->second;
  }
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = BindAll(arg, values);
  return copy;
}

bool HasSeries(const Expr& e) {
  return Any(e, [](const Node& n) {
    return n.kind == Kind::kCall && (n.text == "sum" || n.text == "prod");
  });
}

// Whether the expression is built from its unknowns by arithmetic, roots and rational powers, so
// that a proof at a generic point is a proof.
bool IsAlgebraic(const Expr& e) {
  switch (e->kind) {
    case Kind::kNumber:
    case Kind::kSymbol:
      return true;
    case Kind::kConstant:
      return e->text != "inf";
    case Kind::kAdd:
    case Kind::kMul:
    case Kind::kDiv:
    case Kind::kNeg:
      break;
    case Kind::kRoot:
    case Kind::kPow:
      if (IsConstant(e)) return true;
      return IsAlgebraic(e->args[0]) && ExactValue(e->args[1]).status == EvalStatus::kValue;
    case Kind::kCall:
      return IsConstant(e) || IsUnknown(*e) || e->text == "abs";
    default:
      return false;
  }
  return std::all_of(e->args.begin(), e->args.end(), IsAlgebraic);
}

// With e itself in the formula the points would not be independent of it.
bool HasTranscendentalConstant(const Expr& e) {
  return Any(e, [](const Node& n) {
    return n.kind == Kind::kConstant && (n.text == "e" || n.text == "pi");
  });
}

std::optional<Decision> CompareAtGenericPoints(const Expr& a, const Expr& b,
                                               const Unknowns& unknowns, const Deadline& deadline) {
  if (unknowns.by_key.size() > 12 || unknowns.jumps || HasSeries(a) || HasSeries(b))
    return std::nullopt;
  bool proved = false;
  for (const auto& [negative, inverse] : {std::pair{false, false}, {true, false}, {false, true}}) {
    if (proved && inverse) break;
    if (deadline.Passed()) return std::nullopt;
    std::map<std::string, Expr> values;
    size_t index = 0;
    for (const auto& [key, unknown] : unknowns.by_key)
      values[key] = GenericValue(index++, negative, inverse);
    const Expr left = BindAll(a, values);
    const Expr right = BindAll(b, values);
    // Only where both sides are real without detour: there the branches are the ones meant.
    const BallPair pair = EvaluateBalls(left, right, {}, {}, 128, !unknowns.imaginary);
    if (!pair.a || !pair.b) continue;
    if (CompareBalls(*pair.a, *pair.b, 128).different) return Different(Tier::kGeneric);
    const std::optional<Decision> exact = CompareByCalcium(left, right);
    if (!exact || exact->finding == Finding::kUndefined) continue;
    if (exact->finding == Finding::kDifferent) return Different(Tier::kGeneric);
    proved = true;
  }
  if (!proved) return std::nullopt;
  return Equal(Tier::kGeneric);
}

Expr WithPi(const Expr& e, long value) {
  if (e->kind == Kind::kConstant && e->text == "pi") return MakeInteger(value);
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = WithPi(arg, value);
  return copy;
}

// A sine or cosine of a rational multiple of pi is algebraic: 0 in its place.
Expr WithoutAngles(const Expr& e) {
  if (e->kind == Kind::kCall && (e->text == "sin" || e->text == "cos")) {
    const ExactResult once = ExactValue(WithPi(e->args[0], 1));
    const ExactResult twice = ExactValue(WithPi(e->args[0], 2));
    if (once.status == EvalStatus::kValue && twice.status == EvalStatus::kValue &&
        twice.value == 2 * once.value)
      return MakeInteger(0);
  }
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) arg = WithoutAngles(arg);
  return copy;
}

// Identities of sines, exponentials and powers of numbers: proved where they are identities of
// rational functions of the exponentials. Says nothing else.
bool ProvedByExponentials(const Expr& a, const Expr& b) {
  const auto rational = AsRationalFunctions(a, b);
  if (!rational) return false;
  const auto& [left, right] = *rational;
  // A transcendental constant beside the unknowns would not be independent of their values.
  if (HasTranscendentalConstant(WithoutAngles(left)) ||
      HasTranscendentalConstant(WithoutAngles(right)))
    return false;
  std::map<std::string, Expr> values;
  size_t index = 0;
  for (const auto& [key, unknown] : UnknownsIn(left, right).by_key)
    values[key] = GenericValue(index++, false, false);
  if (index > 12) return false;
  const auto exact = CompareByCalcium(BindAll(left, values), BindAll(right, values));
  return exact && exact->finding == Finding::kEqual;
}

// A numeric verdict looks once more with four times the digits, so that a difference of 1e-100
// shows.
Decision ConfirmDeeper(const Expr& a, const Expr& b, const Unknowns& unknowns,
                       const Decision& numeric) {
  Sequence sequence;
  for (int shape = 0; shape < 2; ++shape) {
    const BallPair pair =
        EvaluateBalls(a, b, {}, PointOf(unknowns, &sequence, shape), kDeepPrecision, false);
    if (!pair.a || !pair.b) continue;
    const BallComparison comparison = CompareBalls(*pair.a, *pair.b, kDeepPrecision);
    if (!comparison.different) continue;
    if (unknowns.opaque_value) return Undecided("an infinite sum, a limit or the like");
    return Different(numeric.tier);
  }
  return numeric;
}

Decision CompareExpressions(const Expr& a, const Expr& b, const Unknowns& unknowns,
                            const Deadline& deadline) {
  const bool integers = std::any_of(unknowns.by_key.begin(), unknowns.by_key.end(),
                                    [](const auto& entry) { return entry.second.integer; });
  const Tier tier = integers ? Tier::kIntegers : Tier::kPoints;
  PointSurvey survey = Survey(a, b, unknowns, !unknowns.imaginary, deadline);
  if (survey.unsupported) return Undecided("a function that cannot be evaluated");
  if (!survey.different && survey.agreeing < kEnoughPoints && !unknowns.imaginary) {
    // Nowhere real, or hardly: as complex functions.
    const PointSurvey complex = Survey(a, b, unknowns, false, deadline);
    if (complex.agreeing > survey.agreeing || complex.different) survey = complex;
  }
  if (survey.different) {
    // An unknown that stands for a definite value proves nothing by differing.
    if (unknowns.opaque_value) return Undecided("an infinite sum, a limit or the like");
    return Different(tier);
  }
  if (survey.agreeing < kEnoughPoints) return Undecided("too few points where both sides exist");
  // ln(x^2) and 2 ln(x): of one unknown, which may have either sign, these are two functions. Of
  // several it is usual to take them as positive.
  if (survey.branches && unknowns.by_key.size() == 1 && !unknowns.opaque_value)
    return Different(tier, "only one side is real everywhere");
  const std::string note = survey.one_sided > 0 ? "where both sides are defined" : std::string();
  if (!integers) {
    if (const auto generic = CompareAtGenericPoints(a, b, unknowns, deadline)) {
      if (generic->finding == Finding::kDifferent && unknowns.opaque_value)
        return Undecided("an infinite sum, a limit or the like");
      if (generic->finding == Finding::kDifferent) return *generic;
      if (IsAlgebraic(a) && IsAlgebraic(b) && !HasTranscendentalConstant(a) &&
          !HasTranscendentalConstant(b))
        return Equal(Tier::kGeneric, note);
    }
  }
  if (!unknowns.opaque_value && !deadline.Passed() && ProvedByExponentials(a, b))
    return Equal(Tier::kGeneric, note);
  return ConfirmDeeper(a, b, unknowns, {Finding::kNumeric, tier, survey.digits, note});
}

// ∞ and -∞ equal themselves alone.
std::optional<int> InfinitySign(const Expr& e) {
  if (e->kind == Kind::kConstant && e->text == "inf") return 1;
  if (e->kind == Kind::kNeg) {
    const auto inner = InfinitySign(e->args[0]);
    return inner ? std::optional<int>(-*inner) : std::nullopt;
  }
  return std::nullopt;
}

Decision CompareInfinities(const Expr& a, const Expr& b) {
  const auto left = InfinitySign(a);
  const auto right = InfinitySign(b);
  if (left && right) return *left == *right ? Equal(Tier::kIdentity) : Different(Tier::kExact);
  const Expr& other = left ? b : a;
  if ((left || right) && !HasInfinity(other)) return Different(Tier::kStructure);
  return Undecided("arithmetic with infinity");
}

}  // namespace

Deadline::Deadline(std::chrono::milliseconds from_now) : at_(ThreadTime() + from_now) {}
bool Deadline::Passed() const { return ThreadTime() >= at_; }

std::string_view TierName(Tier tier) {
  static constexpr std::array<std::string_view, 16> names = {
      "none",    "identity", "exact", "balls",    "calcium", "algebraic", "points",    "integers",
      "generic", "equation", "sets",  "matching", "units",   "text",      "structure", "rounding"};
  return names[static_cast<size_t>(tier)];
}

bool IsConstant(const Expr& e) {
  Unknowns unknowns;
  std::set<std::string> bound;
  Collect(e, false, &bound, &unknowns);
  return unknowns.by_key.empty();
}

std::vector<std::string> UnknownsOf(const Expr& e) {
  Unknowns unknowns;
  std::set<std::string> bound;
  Collect(e, false, &bound, &unknowns);
  std::vector<std::string> keys;
  for (const auto& [key, unknown] : unknowns.by_key) keys.push_back(key);
  return keys;
}

Decision CompareValues(const Expr& a, const Expr& b, const Deadline& deadline) {
  if (IsUndefined(a) || IsUndefined(b)) return Undefined(Tier::kExact);
  const bool same_tree = CanonicalText(a) == CanonicalText(b);
  if (same_tree) return Equal(Tier::kIdentity);
  if (HasLimit(a) || HasLimit(b)) {
    const std::optional<bool> agree = AgreeAsLimits(a, b, deadline);
    if (agree && *agree)
      return {Finding::kNumeric, Tier::kBalls, kAnalysisDigits, "by numerical analysis"};
    return Undecided("a limit or an infinite sum");
  }
  if (HasInfinity(a) || HasInfinity(b)) return CompareInfinities(a, b);
  const Unknowns unknowns = UnknownsIn(a, b);
  if (!unknowns.by_key.empty()) return CompareExpressions(a, b, unknowns, deadline);
  const ExactResult left = ExactValue(a);
  const ExactResult right = ExactValue(b);
  if (left.status == EvalStatus::kUndefined || right.status == EvalStatus::kUndefined)
    return Undefined(Tier::kExact);
  if (left.status == EvalStatus::kValue && right.status == EvalStatus::kValue)
    return left.value == right.value ? Equal(Tier::kExact) : Different(Tier::kExact);
  return CompareConstants(a, b, deadline);
}

std::optional<int> SignOfConstant(const Expr& value, const Deadline& deadline) {
  return Order(value, MakeInteger(0), deadline);
}

std::optional<int> Order(const Expr& a, const Expr& b, const Deadline& deadline) {
  if (!IsConstant(a) || !IsConstant(b)) return std::nullopt;
  const ExactResult left = ExactValue(a);
  const ExactResult right = ExactValue(b);
  if (left.status == EvalStatus::kValue && right.status == EvalStatus::kValue)
    return cmp(left.value, right.value);
  for (const long precision : {64L, 256L}) {
    const BallPair pair = EvaluateBalls(a, b, {}, {}, precision, false);
    if (!pair.a || !pair.b || !IsRealBall(*pair.a) || !IsRealBall(*pair.b)) continue;
    BallEngine engine(precision, true);
    const auto minus = engine.Negate(*pair.b);
    const auto difference = minus ? engine.Add(*pair.a, *minus) : std::nullopt;
    if (difference && SignOf(*difference) != 0) return SignOf(*difference);
  }
  const Decision decision = CompareValues(a, b, deadline);
  if (Holds(decision)) return 0;
  return std::nullopt;
}

bool WithinDistance(const Expr& a, const Expr& b, const mpq_class& bound) {
  const ExactResult left = ExactValue(a);
  const ExactResult right = ExactValue(b);
  if (left.status == EvalStatus::kValue && right.status == EvalStatus::kValue)
    return abs(left.value - right.value) <= bound;
  if (!IsConstant(a) || !IsConstant(b)) return false;
  const BallPair pair = EvaluateBalls(a, b, {}, {}, 256, false);
  return pair.a && pair.b && WithinBound(*pair.a, *pair.b, bound, 256);
}

std::string Approximation(const Expr& value, int digits) {
  if (!IsConstant(value) || HasInfinity(value)) return "";
  BallEngine engine(128, false);
  const auto ball = Walker<BallEngine>(engine, {}, {}).Walk(value);
  return ball ? BallText(*ball, digits) : "";
}

Decision Proportional(const Expr& p, const Expr& q, bool positive, const Deadline& deadline) {
  const Unknowns unknowns = UnknownsIn(p, q);
  if (unknowns.by_key.empty()) return Undecided("nothing to compare");
  Sequence sequence;
  for (int shape = 0; shape < kPoints && !deadline.Passed(); ++shape) {
    const ExactBindings point = PointOf(unknowns, &sequence, shape);
    const BallPair pair = EvaluateBalls(p, q, {}, point, kPointPrecision, true);
    if (!pair.a || !pair.b) continue;
    const int p_sign = SignOf(*pair.a);
    const int q_sign = SignOf(*pair.b);
    if (p_sign == 0 || q_sign == 0) continue;
    if (positive && p_sign != q_sign) return Different(Tier::kEquation);
    std::map<std::string, Expr> values;
    for (const auto& [key, value] : point) values[key] = MakeNumber(value);
    Expr factor = MakeNode(Kind::kDiv, {BindAll(p, values), BindAll(q, values)});
    const ExactResult exact = ExactValue(factor);
    if (exact.status == EvalStatus::kValue) factor = MakeNumber(exact.value);
    Decision decision = CompareValues(p, MakeProduct({factor, q}), deadline);
    if (decision.finding != Finding::kUndecided) decision.tier = Tier::kEquation;
    return decision;
  }
  return Undecided("no point where both sides of the equations differ");
}

}  // namespace assay::algebra
