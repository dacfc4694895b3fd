// The ball engine: the only file that includes Arb's headers.
#if __has_include(<flint/acb.h>)
#include <flint/acb.h>
#include <flint/acb_calc.h>
#include <flint/acb_hypgeom.h>
#else
#include <acb.h>
#include <acb_calc.h>
#include <acb_hypgeom.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <unordered_map>
#include <utility>

#include "graders/algebra/engines.h"

namespace assay::algebra {

struct BallEngine::Value::Holder {
  acb_t ball;
};

BallEngine::Value::Value() : holder_(new Holder) { acb_init(holder_->ball); }
BallEngine::Value::Value(const Value& other) : Value() {
  acb_set(holder_->ball, other.get()->ball);
}
BallEngine::Value::Value(Value&& other) noexcept : holder_(std::exchange(other.holder_, nullptr)) {}
BallEngine::Value& BallEngine::Value::operator=(Value other) noexcept {
  std::swap(holder_, other.holder_);
  return *this;
}
BallEngine::Value::~Value() {
  if (holder_ == nullptr) return;
  acb_clear(holder_->ball);
  delete holder_;
}

namespace {

using Value = BallEngine::Value;

acb_ptr Ball(Value& value) { return value.get()->ball; }
acb_srcptr Ball(const Value& value) { return value.get()->ball; }

// A FLINT rational that frees itself.
class Fraction {
 public:
  explicit Fraction(const mpq_class& value) {
    fmpq_init(value_);
    fmpq_set_mpq(value_, value.get_mpq_t());
  }
  ~Fraction() { fmpq_clear(value_); }
  Fraction(const Fraction&) = delete;
  Fraction& operator=(const Fraction&) = delete;
  const fmpq* get() const { return value_; }

 private:
  fmpq_t value_;
};

using UnaryFunction = void (*)(acb_t, const acb_t, slong);

void Reciprocal(acb_t result, const acb_t x, slong precision, UnaryFunction function) {
  function(result, x, precision);
  acb_inv(result, result, precision);
}
void ArcOfReciprocal(acb_t result, const acb_t x, slong precision, UnaryFunction function) {
  acb_inv(result, x, precision);
  function(result, result, precision);
}

// arccot takes values in (0, pi), as in school.
void ArcCotangent(acb_t result, const acb_t x, slong precision) {
  acb_t half_pi;
  acb_init(half_pi);
  acb_const_pi(half_pi, precision);
  acb_mul_2exp_si(half_pi, half_pi, -1);
  acb_atan(result, x, precision);
  acb_sub(result, half_pi, result, precision);
  acb_clear(half_pi);
}
void OnReal(acb_t result, const acb_t x, slong precision,
            void (*function)(arb_t, const arb_t, slong)) {
  if (!acb_is_real(x)) {
    acb_indeterminate(result);
    return;
  }
  function(acb_realref(result), acb_realref(x), precision);
  arb_zero(acb_imagref(result));
}
void Modulus(acb_t result, const acb_t x, slong precision) {
  arb_t modulus;
  arb_init(modulus);
  acb_abs(modulus, x, precision);
  acb_set_arb(result, modulus);
  arb_clear(modulus);
}
void FactorialOf(acb_t result, const acb_t x, slong precision) {
  acb_add_ui(result, x, 1, precision);
  acb_gamma(result, result, precision);
}
void Argument(acb_t result, const acb_t x, slong precision) {
  arb_t angle;
  arb_init(angle);
  acb_arg(angle, x, precision);
  acb_set_arb(result, angle);
  arb_clear(angle);
}

UnaryFunction FindUnary(std::string_view name) {
  static const std::unordered_map<std::string_view, UnaryFunction> table = {
      {"sin", acb_sin},
      {"cos", acb_cos},
      {"tan", acb_tan},
      {"cot", acb_cot},
      {"sec", [](acb_t r, const acb_t x, slong p) { Reciprocal(r, x, p, acb_cos); }},
      {"csc", [](acb_t r, const acb_t x, slong p) { Reciprocal(r, x, p, acb_sin); }},
      {"arcsin", acb_asin},
      {"arccos", acb_acos},
      {"arctan", acb_atan},
      {"arccot", ArcCotangent},
      {"arcsec", [](acb_t r, const acb_t x, slong p) { ArcOfReciprocal(r, x, p, acb_acos); }},
      {"arccsc", [](acb_t r, const acb_t x, slong p) { ArcOfReciprocal(r, x, p, acb_asin); }},
      {"sinh", acb_sinh},
      {"cosh", acb_cosh},
      {"tanh", acb_tanh},
      {"coth", acb_coth},
      {"sech", [](acb_t r, const acb_t x, slong p) { Reciprocal(r, x, p, acb_cosh); }},
      {"csch", [](acb_t r, const acb_t x, slong p) { Reciprocal(r, x, p, acb_sinh); }},
      {"arsinh", acb_asinh},
      {"arcosh", acb_acosh},
      {"artanh", acb_atanh},
      {"ln", acb_log},
      {"abs", Modulus},
      {"floor", [](acb_t r, const acb_t x, slong p) { OnReal(r, x, p, arb_floor); }},
      {"ceil", [](acb_t r, const acb_t x, slong p) { OnReal(r, x, p, arb_ceil); }},
      {"sgn", [](acb_t r, const acb_t x, slong p) { acb_sgn(r, x, p); }},
      {"factorial", FactorialOf},
      {"Gamma", acb_gamma},
      {"zeta", acb_zeta},
      {"erf", acb_hypgeom_erf},
      {"arg", Argument},
      {"conj", [](acb_t r, const acb_t x, slong) { acb_conj(r, x); }},
      {"Re", [](acb_t r, const acb_t x, slong) { acb_set_arb(r, acb_realref(x)); }},
      {"Im", [](acb_t r, const acb_t x, slong) { acb_set_arb(r, acb_imagref(x)); }},
      {"lg",
       [](acb_t r, const acb_t x, slong p) {
         acb_t ten;
         acb_init(ten);
         acb_set_ui(ten, 10);
         acb_log(ten, ten, p);
         acb_log(r, x, p);
         acb_div(r, r, ten, p);
         acb_clear(ten);
       }},
  };
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace

std::optional<Value> BallEngine::Fail(EngineStatus why) {
  status = why;
  return std::nullopt;
}

std::optional<Value> BallEngine::Checked(Value value) {
  if (!acb_is_finite(Ball(value))) return Fail(EngineStatus::kImprecise);
  if (real_only && !acb_is_real(Ball(value)))
    return Fail(arb_contains_zero(acb_imagref(Ball(value))) ? EngineStatus::kImprecise
                                                            : EngineStatus::kNotReal);
  return value;
}

std::optional<Value> BallEngine::Rational(const mpq_class& value) {
  Value result;
  const Fraction fraction(value);
  acb_set_fmpq(Ball(result), fraction.get(), precision);
  return result;
}
std::optional<Value> BallEngine::Pi() {
  Value result;
  acb_const_pi(Ball(result), precision);
  return result;
}
std::optional<Value> BallEngine::I() {
  if (real_only) return Fail(EngineStatus::kNotReal);
  Value result;
  acb_onei(Ball(result));
  return result;
}
std::optional<Value> BallEngine::Add(const Value& a, const Value& b) {
  Value result;
  acb_add(Ball(result), Ball(a), Ball(b), precision);
  return Checked(std::move(result));
}
std::optional<Value> BallEngine::Multiply(const Value& a, const Value& b) {
  Value result;
  acb_mul(Ball(result), Ball(a), Ball(b), precision);
  return Checked(std::move(result));
}
std::optional<Value> BallEngine::Divide(const Value& a, const Value& b) {
  if (acb_is_zero(Ball(b))) return Fail(EngineStatus::kUndefined);
  Value result;
  acb_div(Ball(result), Ball(a), Ball(b), precision);
  return Checked(std::move(result));
}
std::optional<Value> BallEngine::Negate(const Value& a) {
  Value result;
  acb_neg(Ball(result), Ball(a));
  return result;
}
std::optional<Value> BallEngine::Exp(const Value& a) {
  Value result;
  acb_exp(Ball(result), Ball(a), precision);
  return Checked(std::move(result));
}

std::optional<Value> BallEngine::Power(const Value& a, const Value& b) {
  if (acb_is_zero(Ball(a))) return Fail(EngineStatus::kUndefined);
  if (acb_contains_zero(Ball(a))) return Fail(EngineStatus::kImprecise);
  Value result;
  acb_pow(Ball(result), Ball(a), Ball(b), precision);
  return Checked(std::move(result));
}

std::optional<Value> BallEngine::RationalPower(const Value& a, const mpq_class& exponent) {
  const bool zero = acb_is_zero(Ball(a));
  if (zero && exponent <= 0) return Fail(EngineStatus::kUndefined);
  if (zero) return Rational(0);
  const mpz_class p = exponent.get_num();
  const mpz_class q = exponent.get_den();
  const bool real = acb_is_real(Ball(a));
  const bool negative = real && arb_is_negative(acb_realref(Ball(a)));
  if (acb_contains_zero(Ball(a)) && (p < 0 || (q != 1 && !(q == 2))))
    return Fail(EngineStatus::kImprecise);
  if (negative && q != 1 && mpz_odd_p(q.get_mpz_t())) {
    std::optional<Value> positive = Negate(a);
    positive = RationalPower(*positive, exponent);
    if (!positive || mpz_even_p(p.get_mpz_t())) return positive;
    return Negate(*positive);
  }
  if (negative && q != 1 && real_only) return Fail(EngineStatus::kNotReal);
  // A huge power goes by way of the logarithm.
  if (mpz_sizeinbase(p.get_mpz_t(), 2) > 64 || q > 1000) {
    if (acb_contains_zero(Ball(a))) return Fail(EngineStatus::kImprecise);
    Value result;
    Value size(a);
    if (negative) acb_neg(Ball(size), Ball(size));
    acb_log(Ball(result), Ball(size), precision);
    const Fraction power(exponent);
    Value factor;
    acb_set_fmpq(Ball(factor), power.get(), precision);
    acb_mul(Ball(result), Ball(result), Ball(factor), precision);
    acb_exp(Ball(result), Ball(result), precision);
    if (negative && q == 1 && mpz_odd_p(p.get_mpz_t())) acb_neg(Ball(result), Ball(result));
    if (negative && q != 1) return Fail(EngineStatus::kUnsupported);
    return Checked(std::move(result));
  }
  Value result;
  if (q != 1) {
    acb_root_ui(Ball(result), Ball(a), q.get_ui(), precision);
  } else {
    result = a;
  }
  fmpz_t power;
  fmpz_init(power);
  fmpz_set_mpz(power, p.get_mpz_t());
  acb_pow_fmpz(Ball(result), Ball(result), power, precision);
  fmpz_clear(power);
  return Checked(std::move(result));
}

std::optional<Value> BallEngine::Function(std::string_view name, const std::vector<Value>& args) {
  Value result;
  if (args.size() == 1) {
    const UnaryFunction function = FindUnary(name);
    if (function == nullptr) return Fail(EngineStatus::kUnsupported);
    if (acb_is_zero(Ball(args[0])) &&
        (name == "ln" || name == "lg" || name == "cot" || name == "csc"))
      return Fail(EngineStatus::kUndefined);
    function(Ball(result), Ball(args[0]), precision);
    return Checked(std::move(result));
  }
  if (name == "max" || name == "min") {
    result = args[0];
    for (const Value& arg : args) {
      if (!acb_is_real(Ball(arg)) || !acb_is_real(Ball(result)))
        return Fail(EngineStatus::kUnsupported);
      const auto pick = name == "max" ? arb_max : arb_min;
      pick(acb_realref(Ball(result)), acb_realref(Ball(result)), acb_realref(Ball(arg)), precision);
    }
    return Checked(std::move(result));
  }
  if (args.size() != 2) return Fail(EngineStatus::kUnsupported);
  if (name == "log") {
    std::optional<Value> above = Function("ln", {args[0]});
    if (!above) return std::nullopt;
    std::optional<Value> below = Function("ln", {args[1]});
    if (!below) return std::nullopt;
    return Divide(*above, *below);
  }
  if (name == "binom") {
    std::optional<Value> n = Function("factorial", {args[0]});
    std::optional<Value> k = Function("factorial", {args[1]});
    Value difference;
    acb_sub(Ball(difference), Ball(args[0]), Ball(args[1]), precision);
    std::optional<Value> rest = Function("factorial", {difference});
    if (!n || !k || !rest) return std::nullopt;
    acb_mul(Ball(result), Ball(*k), Ball(*rest), precision);
    return Divide(*n, result);
  }
  if (name == "mod") {
    std::optional<Value> quotient = Divide(args[0], args[1]);
    if (!quotient) return std::nullopt;
    quotient = Function("floor", {*quotient});
    if (!quotient) return std::nullopt;
    acb_mul(Ball(result), Ball(*quotient), Ball(args[1]), precision);
    acb_sub(Ball(result), Ball(args[0]), Ball(result), precision);
    return Checked(std::move(result));
  }
  return Fail(EngineStatus::kUnsupported);
}

BallComparison CompareBalls(const Value& a, const Value& b, long precision) {
  BallComparison comparison;
  acb_t difference;
  acb_init(difference);
  acb_sub(difference, Ball(a), Ball(b), precision);
  comparison.different = !acb_contains_zero(difference);
  if (!comparison.different) {
    mag_t error;
    mag_t size;
    mag_init(error);
    mag_init(size);
    acb_get_mag(error, difference);
    acb_get_mag(size, Ball(a));
    double digits = 0;
    if (mag_is_zero(error)) {
      digits = precision * 0.30103;
    } else if (mag_is_zero(size)) {
      digits = -mag_get_d_log2_approx(error) * 0.30103;
    } else {
      // Relative to the value, but an exact 0 on both sides counts absolutely.
      const double scale = std::max(0.0, mag_get_d_log2_approx(size));
      digits = (scale - mag_get_d_log2_approx(error)) * 0.30103;
    }
    comparison.digits = static_cast<int>(std::clamp(digits, 0.0, 100000.0));
    if (!mag_is_zero(size)) {
      const double whole = mag_get_d_log2_approx(size) * 0.30103;
      comparison.whole_digits = static_cast<int>(std::clamp(whole, 0.0, 1e9));
    }
    mag_clear(error);
    mag_clear(size);
  }
  acb_clear(difference);
  return comparison;
}

int SignOf(const Value& value) {
  if (!acb_is_real(Ball(value))) return 0;
  return arb_is_positive(acb_realref(Ball(value)))   ? 1
         : arb_is_negative(acb_realref(Ball(value))) ? -1
                                                     : 0;
}
bool IsRealBall(const Value& value) { return acb_is_real(Ball(value)); }

double MidpointOf(const Value& value) {
  return arf_get_d(arb_midref(acb_realref(Ball(value))), ARF_RND_NEAR);
}

bool WithinBound(const Value& a, const Value& b, const mpq_class& bound, long precision) {
  arb_t distance;
  arb_t limit;
  arb_init(distance);
  arb_init(limit);
  acb_t difference;
  acb_init(difference);
  acb_sub(difference, Ball(a), Ball(b), precision);
  acb_abs(distance, difference, precision);
  const Fraction fraction(bound);
  arb_set_fmpq(limit, fraction.get(), precision);
  const bool within = arb_le(distance, limit);
  acb_clear(difference);
  arb_clear(limit);
  arb_clear(distance);
  return within;
}

std::string BallText(const Value& value, int digits) {
  if (!acb_is_real(Ball(value))) return "";
  char* text = arb_get_str(acb_realref(Ball(value)), digits, ARB_STR_NO_RADIUS);
  std::string result(text);
  flint_free(text);
  return result;
}

namespace {

struct Integrand {
  const Expr* body;
  std::string variable;
};

int EvaluateIntegrand(acb_ptr out, const acb_t x, void* parameter, slong order, slong precision) {
  if (order > 1) flint_abort();  // never asked for by acb_calc_integrate
  const auto* integrand = static_cast<const Integrand*>(parameter);
  BallEngine engine(precision, false);
  std::map<std::string, Value, std::less<>> bindings;
  Value at;
  acb_set(Ball(at), x);
  bindings.emplace(integrand->variable, at);
  const ExactBindings none;
  const auto value = Walker<BallEngine>(engine, bindings, none).Walk(*integrand->body);
  if (value) {
    acb_set(out, Ball(*value));
  } else {
    acb_indeterminate(out);
  }
  return 0;
}

// Whether the integrand is made of functions that Arb knows to be analytic where they are finite:
// roots, logarithms and |x| have cuts that the integrator would have to be told of.
bool IsEntireEnough(const Expr& e) {
  if (e->kind == Kind::kRoot) return false;
  if (e->kind == Kind::kPow) {
    const ExactResult exponent = ExactValue(e->args[1]);
    const bool integer = exponent.status == EvalStatus::kValue && exponent.value.get_den() == 1;
    const bool of_e = e->args[0]->kind == Kind::kConstant && e->args[0]->text == "e";
    if (!integer && !of_e) return false;
  }
  if (e->kind == Kind::kCall && e->text != "sin" && e->text != "cos" && e->text != "tan" &&
      e->text != "sec" && e->text != "csc" && e->text != "cot" && e->text != "sinh" &&
      e->text != "cosh" && e->text != "tanh")
    return false;
  return std::all_of(e->args.begin(), e->args.end(), IsEntireEnough);
}

}  // namespace

std::optional<Value> Integrate(const Expr& integral, long precision) {
  const Expr& body = integral->args[3];
  if (!IsEntireEnough(body)) return std::nullopt;
  BallEngine engine(precision, false);
  const ExactBindings none;
  const Walker<BallEngine>::Bindings unbound;
  const auto low = Walker<BallEngine>(engine, unbound, none).Walk(integral->args[1]);
  const auto high = Walker<BallEngine>(engine, unbound, none).Walk(integral->args[2]);
  if (!low || !high) return std::nullopt;
  Integrand integrand{&body, SymbolKey(*integral->args[0])};
  acb_calc_integrate_opt_t options;
  acb_calc_integrate_opt_init(options);
  options->eval_limit = 20000;
  mag_t tolerance;
  mag_init(tolerance);
  mag_set_ui_2exp_si(tolerance, 1, -precision);
  Value result;
  acb_calc_integrate(Ball(result), EvaluateIntegrand, &integrand, Ball(*low), Ball(*high),
                     precision, tolerance, options, precision);
  mag_clear(tolerance);
  if (!acb_is_finite(Ball(result))) return std::nullopt;
  return result;
}

}  // namespace assay::algebra
