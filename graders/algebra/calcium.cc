// The exact engines: Calcium's numbers, and algebraic numbers by their minimal polynomials.
#include <unordered_map>
#include <utility>

#include "graders/algebra/calcium_shim.h"
#include "graders/algebra/engines.h"

namespace assay::algebra {

// --- Calcium ---

CalciumEngine::Value::Value(assay_calcium* context, assay_number* number)
    : number_(number, [context](assay_number* owned) { assay_number_free(context, owned); }) {}

CalciumEngine::CalciumEngine() : context_(assay_calcium_new()) {}
CalciumEngine::~CalciumEngine() { assay_calcium_free(context_); }

CalciumEngine::Value CalciumEngine::New() { return Value(context_, assay_number_new(context_)); }

std::optional<CalciumEngine::Value> CalciumEngine::Checked(Value value) {
  if (assay_number_is_special(context_, value.get())) {
    status = EngineStatus::kUndefined;
    return std::nullopt;
  }
  return value;
}

std::optional<CalciumEngine::Value> CalciumEngine::Unary(int op, const Value& a) {
  Value result = New();
  assay_number_unary(context_, result.get(), static_cast<assay_unary>(op), a.get());
  return Checked(std::move(result));
}
std::optional<CalciumEngine::Value> CalciumEngine::Binary(int op, const Value& a, const Value& b) {
  Value result = New();
  assay_number_binary(context_, result.get(), static_cast<assay_binary>(op), a.get(), b.get());
  return Checked(std::move(result));
}

std::optional<CalciumEngine::Value> CalciumEngine::Rational(const mpq_class& value) {
  Value result = New();
  assay_number_set_mpq(context_, result.get(), value.get_mpq_t());
  return result;
}
std::optional<CalciumEngine::Value> CalciumEngine::Pi() {
  Value result = New();
  assay_number_pi(context_, result.get());
  return result;
}
std::optional<CalciumEngine::Value> CalciumEngine::I() {
  Value result = New();
  assay_number_i(context_, result.get());
  return result;
}
std::optional<CalciumEngine::Value> CalciumEngine::Add(const Value& a, const Value& b) {
  return Binary(ASSAY_ADD, a, b);
}
std::optional<CalciumEngine::Value> CalciumEngine::Multiply(const Value& a, const Value& b) {
  return Binary(ASSAY_MUL, a, b);
}

std::optional<CalciumEngine::Value> CalciumEngine::Divide(const Value& a, const Value& b) {
  const assay_truth zero = assay_number_is_zero(context_, b.get());
  if (zero != ASSAY_FALSE) {
    status = zero == ASSAY_TRUE ? EngineStatus::kUndefined : EngineStatus::kUnsupported;
    return std::nullopt;
  }
  return Binary(ASSAY_DIV, a, b);
}

std::optional<CalciumEngine::Value> CalciumEngine::Negate(const Value& a) {
  return Unary(ASSAY_NEG, a);
}
std::optional<CalciumEngine::Value> CalciumEngine::Exp(const Value& a) {
  return Unary(ASSAY_EXP, a);
}
std::optional<CalciumEngine::Value> CalciumEngine::Power(const Value& a, const Value& b) {
  return Binary(ASSAY_POW, a, b);
}

std::optional<CalciumEngine::Value> CalciumEngine::RationalPower(const Value& a,
                                                                 const mpq_class& exponent) {
  const mpz_class q = exponent.get_den();
  // Powers that Calcium would write out in full.
  if (mpz_sizeinbase(exponent.get_num_mpz_t(), 2) > 24 || q > 10000) {
    status = EngineStatus::kUnsupported;
    return std::nullopt;
  }
  if (exponent <= 0) {
    const assay_truth zero = assay_number_is_zero(context_, a.get());
    if (zero != ASSAY_FALSE) {
      status = zero == ASSAY_TRUE ? EngineStatus::kUndefined : EngineStatus::kUnsupported;
      return std::nullopt;
    }
  }
  if (q != 1 && mpz_odd_p(q.get_mpz_t())) {
    const assay_truth negative = assay_number_is_negative(context_, a.get());
    if (negative == ASSAY_UNKNOWN) {
      status = EngineStatus::kUnsupported;
      return std::nullopt;
    }
    if (negative == ASSAY_TRUE) {
      std::optional<Value> positive = Negate(a);
      if (positive) positive = RationalPower(*positive, exponent);
      if (!positive || mpz_even_p(exponent.get_num_mpz_t())) return positive;
      return Negate(*positive);
    }
  }
  Value result = New();
  assay_number_pow_mpq(context_, result.get(), a.get(), exponent.get_mpq_t());
  return Checked(std::move(result));
}

std::optional<CalciumEngine::Value> CalciumEngine::Function(std::string_view name,
                                                            const std::vector<Value>& args) {
  static const std::unordered_map<std::string_view, assay_unary> direct = {
      {"sin", ASSAY_SIN},     {"cos", ASSAY_COS},     {"tan", ASSAY_TAN},     {"cot", ASSAY_COT},
      {"arcsin", ASSAY_ASIN}, {"arccos", ASSAY_ACOS}, {"arctan", ASSAY_ATAN}, {"ln", ASSAY_LOG},
      {"abs", ASSAY_ABS},     {"floor", ASSAY_FLOOR}, {"ceil", ASSAY_CEIL},   {"Re", ASSAY_RE},
      {"Im", ASSAY_IM},       {"conj", ASSAY_CONJ},   {"sgn", ASSAY_SGN},     {"arg", ASSAY_ARG},
      {"Gamma", ASSAY_GAMMA}, {"erf", ASSAY_ERF}};
  if (args.size() == 1) {
    if (name == "ln" || name == "lg") {
      const assay_truth zero = assay_number_is_zero(context_, args[0].get());
      if (zero == ASSAY_TRUE) {
        status = EngineStatus::kUndefined;
        return std::nullopt;
      }
    }
    if (const auto found = direct.find(name); found != direct.end())
      return Unary(found->second, args[0]);
    if (name == "lg") return Function("log", {args[0], *Rational(10)});
    if (name == "sec" || name == "csc") {
      std::optional<Value> below = Unary(name == "sec" ? ASSAY_COS : ASSAY_SIN, args[0]);
      return below ? Divide(*Rational(1), *below) : std::nullopt;
    }
    if (name == "sinh" || name == "cosh" || name == "tanh") {
      std::optional<Value> grown = Exp(args[0]);
      if (!grown) return std::nullopt;
      std::optional<Value> shrunk = Divide(*Rational(1), *grown);
      if (!shrunk) return std::nullopt;
      std::optional<Value> minus = Negate(*shrunk);
      if (!minus) return std::nullopt;
      std::optional<Value> difference = Add(*grown, *minus);
      std::optional<Value> total = Add(*grown, *shrunk);
      if (!difference || !total) return std::nullopt;
      if (name == "tanh") return Divide(*difference, *total);
      return Divide(name == "sinh" ? *difference : *total, *Rational(2));
    }
    if (name == "factorial") {
      std::optional<Value> next = Add(args[0], *Rational(1));
      return next ? Unary(ASSAY_GAMMA, *next) : std::nullopt;
    }
  }
  if (name == "log" && args.size() == 2) {
    std::optional<Value> above = Function("ln", {args[0]});
    if (!above) return std::nullopt;
    std::optional<Value> below = Function("ln", {args[1]});
    if (!below) return std::nullopt;
    return Divide(*above, *below);
  }
  status = EngineStatus::kUnsupported;
  return std::nullopt;
}

std::optional<bool> CalciumEngine::IsZero(const Value& value) {
  const assay_truth truth = assay_number_is_zero(context_, value.get());
  if (truth == ASSAY_UNKNOWN) return std::nullopt;
  return truth == ASSAY_TRUE;
}

// --- algebraic numbers ---

namespace {

using Algebraic = AlgebraicEngine::Value;

std::shared_ptr<assay_algebraic> NewAlgebraic() {
  return std::shared_ptr<assay_algebraic>(assay_algebraic_new(), assay_algebraic_free);
}

}  // namespace

std::optional<Algebraic> AlgebraicEngine::Fail(EngineStatus why) {
  status = why;
  return std::nullopt;
}

std::optional<Algebraic> AlgebraicEngine::Rational(const mpq_class& value) {
  Algebraic result;
  result.number = NewAlgebraic();
  result.rational = value;
  // Never fails: the walk dereferences rationals. Too large a height ends at the next operation.
  (void)assay_algebraic_set_mpq(result.number.get(), value.get_mpq_t());
  return result;
}
std::optional<Algebraic> AlgebraicEngine::Pi() {
  Algebraic result;
  result.rational = 1;
  return result;
}
std::optional<Algebraic> AlgebraicEngine::I() {
  Algebraic result;
  result.number = NewAlgebraic();
  assay_algebraic_i(result.number.get());
  return result;
}

std::optional<Algebraic> AlgebraicEngine::Binary(int op, const Algebraic& a, const Algebraic& b) {
  Algebraic result;
  result.number = NewAlgebraic();
  if (!assay_algebraic_binary(result.number.get(), static_cast<assay_binary>(op), a.number.get(),
                              b.number.get()))
    return Fail(EngineStatus::kUnsupported);
  return result;
}

std::optional<Algebraic> AlgebraicEngine::Add(const Algebraic& a, const Algebraic& b) {
  if (!a.number && !b.number) return Algebraic{nullptr, *a.rational + *b.rational};
  if (!a.number || !b.number) return Fail(EngineStatus::kUnsupported);
  if (a.rational && b.rational) return Rational(*a.rational + *b.rational);
  return Binary(ASSAY_ADD, a, b);
}

std::optional<Algebraic> AlgebraicEngine::Multiply(const Algebraic& a, const Algebraic& b) {
  if (!a.number && !b.number) return Fail(EngineStatus::kUnsupported);
  if (!a.number || !b.number) {
    if (!a.rational || !b.rational) return Fail(EngineStatus::kUnsupported);
    return Algebraic{nullptr, *a.rational * *b.rational};
  }
  if (a.rational && b.rational) return Rational(*a.rational * *b.rational);
  return Binary(ASSAY_MUL, a, b);
}

std::optional<Algebraic> AlgebraicEngine::Divide(const Algebraic& a, const Algebraic& b) {
  if (b.rational && *b.rational == 0) return Fail(EngineStatus::kUndefined);
  if (!a.number && !b.number) return Rational(*a.rational / *b.rational);
  if (!b.number) return Fail(EngineStatus::kUnsupported);
  if (!a.number) {
    if (!b.rational) return Fail(EngineStatus::kUnsupported);
    return Algebraic{nullptr, *a.rational / *b.rational};
  }
  if (a.rational && b.rational) return Rational(*a.rational / *b.rational);
  return Binary(ASSAY_DIV, a, b);
}

std::optional<Algebraic> AlgebraicEngine::Negate(const Algebraic& a) {
  if (!a.number) return Algebraic{nullptr, -*a.rational};
  if (a.rational) return Rational(-*a.rational);
  Algebraic result;
  result.number = NewAlgebraic();
  assay_algebraic_neg(result.number.get(), a.number.get());
  return result;
}

std::optional<Algebraic> AlgebraicEngine::Exp(const Algebraic&) {
  return Fail(EngineStatus::kUnsupported);
}
std::optional<Algebraic> AlgebraicEngine::Power(const Algebraic&, const Algebraic&) {
  return Fail(EngineStatus::kUnsupported);
}

std::optional<Algebraic> AlgebraicEngine::RationalPower(const Algebraic& a,
                                                        const mpq_class& exponent) {
  if (!a.number) return Fail(EngineStatus::kUnsupported);
  const mpz_class q = exponent.get_den();
  if (q != 1 && mpz_odd_p(q.get_mpz_t()) && assay_algebraic_is_negative(a.number.get())) {
    std::optional<Algebraic> positive = Negate(a);
    if (positive) positive = RationalPower(*positive, exponent);
    if (!positive || mpz_even_p(exponent.get_num_mpz_t())) return positive;
    return Negate(*positive);
  }
  Algebraic result;
  result.number = NewAlgebraic();
  if (!assay_algebraic_pow_mpq(result.number.get(), a.number.get(), exponent.get_mpq_t()))
    return Fail(EngineStatus::kUnsupported);
  return result;
}

std::optional<Algebraic> AlgebraicEngine::Function(std::string_view name,
                                                   const std::vector<Algebraic>& args) {
  const bool trigonometric = name == "sin" || name == "cos" || name == "tan";
  if (args.size() != 1 || args[0].number || !trigonometric) return Fail(EngineStatus::kUnsupported);
  const mpq_class turns = *args[0].rational;
  if (!turns.get_num().fits_slong_p() || turns.get_den() > 1000)
    return Fail(EngineStatus::kUnsupported);
  const long p = turns.get_num().get_si();
  const unsigned long q = turns.get_den().get_ui();
  Algebraic cosine;
  Algebraic sine;
  cosine.number = NewAlgebraic();
  sine.number = NewAlgebraic();
  if (!assay_algebraic_cos_pi(cosine.number.get(), p, q) ||
      !assay_algebraic_sin_pi(sine.number.get(), p, q))
    return Fail(EngineStatus::kUnsupported);
  if (name == "cos") return cosine;
  if (name == "sin") return sine;
  return Divide(sine, cosine);
}

std::optional<bool> AlgebraicEngine::Equal(const Algebraic& a, const Algebraic& b) {
  if (!a.number && !b.number) return *a.rational == *b.rational;
  if (!a.number || !b.number) return std::nullopt;
  return assay_algebraic_equal(a.number.get(), b.number.get()) != 0;
}

}  // namespace assay::algebra
