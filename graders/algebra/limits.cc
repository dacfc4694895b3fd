// The two methods. What is special: each refuses what it would value wrongly. A divergent series
// that has a sum in another sense (1 - 1 + 1 - ..., 1/√1 + 1/√2 + ...), a limit from one side only,
// an essential singularity: none of them passes its checks.
#include "graders/algebra/limits.h"

#include <cmath>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace assay::algebra {
namespace {

using Value = BallEngine::Value;
using Bindings = Walker<BallEngine>::Bindings;

constexpr long kCirclePrecision = 640;
constexpr int kCirclePoints = 64;
constexpr long kSeriesPrecision = 4096;
constexpr int kSeriesTerms = 110;

mpq_class PowerOfTen(int places) {
  mpz_class power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, static_cast<unsigned long>(places));
  return mpq_class(1, power);
}

bool IsLimit(const Node& n) { return n.kind == Kind::kCall && n.text == "unboundedlim"; }
bool IsInfiniteSum(const Node& n) {
  return n.kind == Kind::kCall && n.text == "sum" && n.args[2]->kind == Kind::kConstant &&
         n.args[2]->text == "inf";
}

// 1 + |value|, roughly.
mpq_class SizeOf(const Value& value) {
  const double middle = std::fabs(MidpointOf(value));
  return std::isfinite(middle) ? mpq_class(1 + middle) : mpq_class(1);
}
bool Near(const Value& a, const Value& b, int digits, long precision) {
  return WithinBound(a, b, PowerOfTen(digits) * SizeOf(a), precision);
}

// --- limits ---

// Differentiable in the complex sense wherever it is defined.
bool IsAnalytic(const Expr& e, const std::string& variable) {
  static const std::unordered_set<std::string_view> functions = {
      "sin",    "cos",    "tan",    "cot",  "sec",  "csc",   "arcsin", "arccos",
      "arctan", "sinh",   "cosh",   "tanh", "coth", "ln",    "log",    "lg",
      "arsinh", "artanh", "arcosh", "sech", "csch", "arccot"};
  switch (e->kind) {
    case Kind::kNumber:
    case Kind::kConstant:
      return e->text != "inf";
    case Kind::kSymbol:
      return SymbolKey(*e) == variable;
    case Kind::kAdd:
    case Kind::kMul:
    case Kind::kDiv:
    case Kind::kNeg:
    case Kind::kPow:
    case Kind::kRoot:
      break;
    case Kind::kCall:
      if (functions.count(e->text) == 0) return false;
      break;
    default:
      return false;
  }
  for (const Expr& arg : e->args)
    if (!IsAnalytic(arg, variable)) return false;
  return true;
}

struct LimitParts {
  Expr body;
  std::string variable;
  Expr point;  // null: infinity
  bool negative_infinity = false;
};

std::optional<LimitParts> PartsOf(const Expr& limit) {
  if (limit->args.size() != 2) return std::nullopt;
  const Expr& to = limit->args[1];
  if (to->kind != Kind::kRelation || to->text != std::string(1, kOtherRelation) ||
      to->args.size() != 2 || to->args[0]->kind != Kind::kSymbol)
    return std::nullopt;
  LimitParts parts{limit->args[0], SymbolKey(*to->args[0]), to->args[1]};
  // 0^+ and 0^-: an analytic function has the same limit from both sides.
  if (parts.point->kind == Kind::kCall && parts.point->text.substr(0, 12) == "superscript:")
    parts.point = parts.point->args[0];
  Expr end = parts.point;
  if (end->kind == Kind::kNeg) end = end->args[0];
  if (end->kind == Kind::kConstant && end->text == "inf") {
    parts.negative_infinity = end != parts.point;
    parts.point = nullptr;
  }
  return parts;
}

class Circle {
 public:
  explicit Circle(const Deadline& deadline)
      : engine_(kCirclePrecision, false), deadline_(deadline) {
    const Value turn = *engine_.Multiply(*engine_.Rational(mpq_class(2)), *engine_.Pi());
    const Value imaginary = *engine_.Multiply(turn, *engine_.I());
    for (int k = 0; k < kCirclePoints; ++k)
      roots_.push_back(*engine_.Exp(
          *engine_.Multiply(imaginary, *engine_.Rational(Fraction(k, kCirclePoints)))));
  }

  // The mean over the circle of that radius, where the coefficients of negative powers vanish.
  std::optional<Value> Mean(const LimitParts& parts, const mpq_class& radius) {
    std::vector<Value> values;
    for (const Value& root : roots_) {
      if (deadline_.Passed()) return std::nullopt;
      const auto value = ValueAt(parts, root, radius);
      if (!value) return std::nullopt;
      values.push_back(*value);
    }
    const Value mean = Coefficient(values, 0);
    const Value zero = *engine_.Rational(mpq_class(0));
    // Not beyond a quarter: there the positive powers that so few points mistake for negative ones
    // are no longer small.
    for (int m = 1; m <= kCirclePoints / 4; ++m) {
      const Value coefficient = Coefficient(values, -m);
      if (!WithinBound(coefficient, zero, PowerOfTen(kAnalysisDigits + 8) * SizeOf(mean),
                       kCirclePrecision))
        return std::nullopt;
    }
    // Near a removable singularity a function is near its limit.
    for (const Value& value : values)
      if (!WithinBound(value, mean, SizeOf(mean), kCirclePrecision)) return std::nullopt;
    return mean;
  }

 private:
  static mpq_class Fraction(long above, long below) {
    mpq_class value(above, below);
    value.canonicalize();
    return value;
  }

  std::optional<Value> ValueAt(const LimitParts& parts, const Value& root,
                               const mpq_class& radius) {
    const Value step = *engine_.Multiply(root, *engine_.Rational(radius));
    std::optional<Value> place;
    if (parts.point) {
      const auto center = Walker<BallEngine>(engine_, {}, {}).Walk(parts.point);
      if (!center) return std::nullopt;
      place = engine_.Add(*center, step);
    } else {
      place = engine_.Divide(*engine_.Rational(mpq_class(parts.negative_infinity ? -1 : 1)), step);
    }
    if (!place) return std::nullopt;
    const Bindings bindings = {{parts.variable, *place}};
    return Walker<BallEngine>(engine_, bindings, {}).Walk(parts.body);
  }

  Value Coefficient(const std::vector<Value>& values, int power) {
    Value total = *engine_.Rational(mpq_class(0));
    for (int k = 0; k < kCirclePoints; ++k) {
      const int at = ((-power * k) % kCirclePoints + kCirclePoints) % kCirclePoints;
      total = *engine_.Add(total, *engine_.Multiply(values[static_cast<size_t>(k)],
                                                    roots_[static_cast<size_t>(at)]));
    }
    return *engine_.Multiply(total, *engine_.Rational(mpq_class(1, kCirclePoints)));
  }

  BallEngine engine_;
  const Deadline& deadline_;
  std::vector<Value> roots_;
};

std::optional<Value> LimitOf(const Expr& limit, const Deadline& deadline) {
  const auto parts = PartsOf(limit);
  if (!parts || !IsAnalytic(parts->body, parts->variable)) return std::nullopt;
  if (parts->point && !IsConstant(parts->point)) return std::nullopt;
  Circle circle(deadline);
  const auto wide = circle.Mean(*parts, mpq_class(1, 256));
  if (!wide) return std::nullopt;
  const auto narrow = circle.Mean(*parts, mpq_class(1, 800));
  if (!narrow || !Near(*wide, *narrow, kAnalysisDigits + 6, kCirclePrecision)) return std::nullopt;
  return narrow;
}

// --- infinite sums ---

class Series {
 public:
  explicit Series(const Deadline& deadline)
      : engine_(kSeriesPrecision, true), deadline_(deadline) {}

  std::optional<Value> Sum(const Expr& sum) {
    if (!Fill(sum) || !Falls()) return std::nullopt;
    const auto coarse = Accelerated(kSeriesTerms - 15);
    const auto fine = Accelerated(kSeriesTerms - 1);
    if (!coarse || !fine || !Near(*coarse, *fine, kAnalysisDigits + 4, kSeriesPrecision))
      return std::nullopt;
    if (!LiesBehindItsPartialSums(*fine)) return std::nullopt;
    return fine;
  }

 private:
  // The first terms and their partial sums.
  bool Fill(const Expr& sum) {
    const ExactResult low = ExactValue(sum->args[1]);
    if (low.status != EvalStatus::kValue || low.value.get_den() != 1) return false;
    const std::string counter = SymbolKey(*sum->args[0]);
    Value total = *engine_.Rational(mpq_class(0));
    for (int j = 0; j < kSeriesTerms; ++j) {
      if (deadline_.Passed()) return false;
      const ExactBindings at = {{counter, low.value + j}};
      const auto term = Walker<BallEngine>(engine_, {}, at).Walk(sum->args[3]);
      if (!term || SignOf(*term) == 0) return false;
      const auto next = engine_.Add(total, *term);
      if (!next) return false;
      total = *next;
      terms_.push_back(*term);
      partial_.push_back(total);
    }
    return true;
  }

  // Whether the last term is clearly smaller than the middle one, as terms that go to 0 are.
  bool Falls() {
    const Value& last = terms_.back();
    const Value& middle = terms_[kSeriesTerms / 2];
    const auto ratio = engine_.Divide(last, middle);
    return ratio &&
           WithinBound(*ratio, *engine_.Rational(mpq_class(0)), mpq_class(9, 10), kSeriesPrecision);
  }

  // A series of one sign goes on in its direction for ever: 1 + 1/√2 + 1/√3 + ... has the antilimit
  // -1.46, and no sum.
  bool LiesBehindItsPartialSums(const Value& sum) {
    const int sign = SignOf(terms_.back());
    for (const Value& term : terms_)
      if (SignOf(term) != sign) return true;
    const auto rest = engine_.Add(sum, *engine_.Negate(partial_.back()));
    return rest && SignOf(*rest) == sign;
  }

  // Levin's u-transform of the first `order` + 1 partial sums, with beta = 1.
  std::optional<Value> Accelerated(int order) {
    Value above = *engine_.Rational(mpq_class(0));
    Value below = above;
    mpz_class binomial = 1;
    for (int j = 0; j <= order; ++j) {
      mpz_class power;
      mpz_ui_pow_ui(power.get_mpz_t(), static_cast<unsigned long>(j + 1),
                    static_cast<unsigned long>(order - 2));
      const mpz_class weight = (j % 2 == 0 ? 1 : -1) * binomial * power;
      const auto factor =
          engine_.Divide(*engine_.Rational(mpq_class(weight)), terms_[static_cast<size_t>(j)]);
      if (!factor) return std::nullopt;
      below = *engine_.Add(below, *factor);
      above = *engine_.Add(above, *engine_.Multiply(*factor, partial_[static_cast<size_t>(j)]));
      binomial = binomial * (order - j) / (j + 1);
    }
    return engine_.Divide(above, below);
  }

  BallEngine engine_;
  const Deadline& deadline_;
  std::vector<Value> terms_;
  std::vector<Value> partial_;
};

// --- whole expressions ---

// The expression with a fresh symbol for each limit and sum, whose values go to `bindings`.
Expr WithValues(const Expr& e, const Deadline& deadline, Bindings* bindings, bool* failed) {
  if (IsLimit(*e) || IsInfiniteSum(*e)) {
    const auto value = IsLimit(*e) ? LimitOf(e, deadline) : Series(deadline).Sum(e);
    const Expr symbol = MakeSymbol("\x02" + std::to_string(bindings->size()));
    if (!value) *failed = true;
    if (value) bindings->emplace(SymbolKey(*symbol), *value);
    return symbol;
  }
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Node>(*e);
  for (Expr& arg : copy->args) {
    if (!*failed) arg = WithValues(arg, deadline, bindings, failed);
  }
  return copy;
}

std::optional<Value> ValueOf(const Expr& e, const Deadline& deadline) {
  Bindings bindings;
  bool failed = false;
  const Expr plain = WithValues(e, deadline, &bindings, &failed);
  if (failed) return std::nullopt;
  BallEngine engine(kCirclePrecision, false);
  return Walker<BallEngine>(engine, bindings, {}).Walk(plain);
}

}  // namespace

bool HasLimit(const Expr& e) {
  return Any(e, [](const Node& n) { return IsLimit(n) || IsInfiniteSum(n); });
}

std::optional<bool> AgreeAsLimits(const Expr& a, const Expr& b, const Deadline& deadline) {
  const auto left = ValueOf(a, deadline);
  const auto right = left ? ValueOf(b, deadline) : std::nullopt;
  if (!left || !right) return std::nullopt;
  return Near(*left, *right, kAnalysisDigits, kCirclePrecision);
}

}  // namespace assay::algebra
