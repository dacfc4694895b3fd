// Exact evaluation: the tree walk, and the sizes that it refuses.
#include "graders/algebra/exact.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <unordered_set>

namespace assay::algebra {
namespace {

size_t Bits(const mpq_class& value) {
  return mpz_sizeinbase(value.get_num_mpz_t(), 2) + mpz_sizeinbase(value.get_den_mpz_t(), 2);
}

ExactResult Of(mpq_class value) { return {EvalStatus::kValue, std::move(value)}; }
ExactResult Status(EvalStatus status) { return {status, 0}; }

bool IsInteger(const mpq_class& value) { return value.get_den() == 1; }

ExactResult IntegerPower(const mpq_class& base, const mpz_class& exponent) {
  if (base == 0 && exponent <= 0) return Status(EvalStatus::kUndefined);
  if (base == 0) return Of(0);
  if (base == 1) return Of(1);
  if (base == -1) return Of(mpz_even_p(exponent.get_mpz_t()) ? 1 : -1);
  if (!exponent.fits_slong_p()) return Status(EvalStatus::kTooBig);
  const unsigned long n = std::labs(exponent.get_si());
  if (n > kMaxBits || Bits(base) * n > 2 * kMaxBits) return Status(EvalStatus::kTooBig);
  mpz_class above;
  mpz_class below;
  mpz_pow_ui(above.get_mpz_t(), base.get_num_mpz_t(), n);
  mpz_pow_ui(below.get_mpz_t(), base.get_den_mpz_t(), n);
  mpq_class value = exponent < 0 ? mpq_class(below, above) : mpq_class(above, below);
  value.canonicalize();
  return Of(std::move(value));
}

// The exact root, where there is one.
ExactResult ExactRoot(const mpq_class& value, unsigned long index) {
  if (value < 0 && index % 2 == 0) return Status(EvalStatus::kNotRational);
  mpz_class above;
  mpz_class below;
  if (!mpz_root(above.get_mpz_t(), value.get_num_mpz_t(), index)) return {};
  if (!mpz_root(below.get_mpz_t(), value.get_den_mpz_t(), index)) return {};
  mpq_class root(above, below);
  root.canonicalize();
  return Of(std::move(root));
}

ExactResult Power(const mpq_class& base, const mpq_class& exponent) {
  if (IsInteger(exponent)) return IntegerPower(base, exponent.get_num());
  if (exponent.get_den() > 64) return {};
  const ExactResult root = ExactRoot(base, exponent.get_den().get_ui());
  if (root.status != EvalStatus::kValue) return root;
  return IntegerPower(root.value, exponent.get_num());
}

mpz_class Floor(const mpq_class& value) {
  mpz_class result;
  mpz_fdiv_q(result.get_mpz_t(), value.get_num_mpz_t(), value.get_den_mpz_t());
  return result;
}

ExactResult Factorial(const mpq_class& n) {
  if (!IsInteger(n)) return {};
  if (n < 0) return Status(EvalStatus::kUndefined);
  if (n > kMaxFactorial) return Status(EvalStatus::kTooBig);
  mpz_class result;
  mpz_fac_ui(result.get_mpz_t(), n.get_num().get_ui());
  return Of(result);
}

ExactResult DoubleFactorial(const mpq_class& n) {
  if (!IsInteger(n) || n < 0) return {};
  if (n > kMaxFactorial) return Status(EvalStatus::kTooBig);
  mpz_class result;
  mpz_2fac_ui(result.get_mpz_t(), n.get_num().get_ui());
  return Of(result);
}

ExactResult Binomial(const mpq_class& n, const mpq_class& k) {
  if (!IsInteger(n) || !IsInteger(k)) return {};
  if (k < 0) return Of(0);
  if (k > kMaxFactorial || abs(n) > 1000000) return Status(EvalStatus::kTooBig);
  mpz_class result;
  mpz_bin_ui(result.get_mpz_t(), mpz_class(n.get_num()).get_mpz_t(), k.get_num().get_ui());
  return Of(result);
}

// log_b(a) where it is a rational number with small parts: b^p = a^q.
ExactResult Logarithm(const mpq_class& a, const mpq_class& b) {
  if (a <= 0 || b <= 0)
    return Status(a == 0 || b == 0 ? EvalStatus::kUndefined : EvalStatus::kNotRational);
  if (b == 1) return Status(EvalStatus::kUndefined);
  if (a == 1) return Of(0);
  if (Bits(a) > 4096 || Bits(b) > 4096) return {};
  mpq_class power = 1;
  for (int q = 1; q <= 6; ++q) {
    power *= a;
    mpq_class grown = 1;
    for (int p = 1; p <= 64 && Bits(grown) <= Bits(power) + Bits(b); ++p) {
      grown *= b;
      if (grown == power) return Of(mpq_class(p, q));
      if (mpq_class(1 / grown) == power) return Of(mpq_class(-p, q));
    }
  }
  return {};
}

ExactResult GcdOrLcm(const std::vector<mpq_class>& args, bool gcd) {
  mpz_class result = gcd ? 0 : 1;
  for (const mpq_class& arg : args) {
    if (!IsInteger(arg)) return {};
    if (gcd) {
      mpz_gcd(result.get_mpz_t(), result.get_mpz_t(), arg.get_num_mpz_t());
    } else {
      mpz_lcm(result.get_mpz_t(), result.get_mpz_t(), arg.get_num_mpz_t());
    }
  }
  return Of(result);
}

ExactResult OneArgument(std::string_view name, const mpq_class& x) {
  if (name == "abs") return Of(abs(x));
  if (name == "floor") return Of(Floor(x));
  if (name == "ceil") return Of(-Floor(-x));
  if (name == "factorial") return Factorial(x);
  if (name == "doublefactorial") return DoubleFactorial(x);
  if (name == "sgn") return Of(sgn(x));
  if (name == "Re" || name == "conj") return Of(x);
  if (name == "Im") return Of(0);
  if (name == "ln" && x == 1) return Of(0);
  if (name == "ln" && x == 0) return Status(EvalStatus::kUndefined);
  if (x == 0 && (name == "sin" || name == "tan" || name == "arcsin" || name == "arctan" ||
                 name == "sinh" || name == "tanh" || name == "arsinh" || name == "artanh"))
    return Of(0);
  if (x == 0 && (name == "cos" || name == "sec" || name == "cosh" || name == "sech")) return Of(1);
  return {};
}

ExactResult Function(std::string_view name, const std::vector<mpq_class>& args) {
  if (name == "gcd" || name == "lcm") return GcdOrLcm(args, name == "gcd");
  if (name == "max") return Of(*std::max_element(args.begin(), args.end()));
  if (name == "min") return Of(*std::min_element(args.begin(), args.end()));
  if (args.size() == 1) return OneArgument(name, args[0]);
  if (args.size() != 2) return {};
  if (name == "binom") return Binomial(args[0], args[1]);
  if (name == "log") return Logarithm(args[0], args[1]);
  if (name == "mod") {
    if (args[1] == 0) return Status(EvalStatus::kUndefined);
    return Of(args[0] - args[1] * Floor(args[0] / args[1]));
  }
  return {};
}

class Evaluator {
 public:
  explicit Evaluator(const ExactBindings& bindings) : bindings_(bindings) {}

  ExactResult Walk(const Expr& e) {
    ExactResult result = Step(e);
    if (result.status == EvalStatus::kValue && Bits(result.value) > 2 * kMaxBits)
      return Status(EvalStatus::kTooBig);
    return result;
  }

 private:
  ExactResult Step(const Expr& e) {
    switch (e->kind) {
      case Kind::kNumber:
        return Of(*e->number);
      case Kind::kSymbol:
        return Bound(SymbolKey(*e));
      case Kind::kAdd:
      case Kind::kMul:
        return Fold(e);
      case Kind::kNeg: {
        ExactResult result = Walk(e->args[0]);
        result.value = -result.value;
        return result;
      }
      case Kind::kPercent: {
        ExactResult result = Walk(e->args[0]);
        result.value /= 100;
        return result;
      }
      case Kind::kDiv:
        return Divide(e);
      case Kind::kPow: {
        const ExactResult base = Walk(e->args[0]);
        if (base.status == EvalStatus::kUndefined) return base;
        const ExactResult exponent = Walk(e->args[1]);
        if (exponent.status != EvalStatus::kValue) return exponent;
        if (base.status != EvalStatus::kValue) return base;
        return Power(base.value, exponent.value);
      }
      case Kind::kRoot: {
        const ExactResult radicand = Walk(e->args[0]);
        if (radicand.status != EvalStatus::kValue) return radicand;
        const ExactResult index = Walk(e->args[1]);
        if (index.status != EvalStatus::kValue) return index;
        if (!IsInteger(index.value) || index.value < 1 || index.value > 1000) return {};
        return ExactRoot(radicand.value, index.value.get_num().get_ui());
      }
      case Kind::kCall:
        return Call(e);
      default:
        return {};
    }
  }

  ExactResult Bound(const std::string& key) const {
    const auto found = bindings_.find(key);
    return found == bindings_.end() ? ExactResult() : Of(found->second);
  }

  // An undefined operand makes the whole undefined, whatever the others are.
  ExactResult Fold(const Expr& e) {
    mpq_class total = e->kind == Kind::kAdd ? 0 : 1;
    EvalStatus status = EvalStatus::kValue;
    for (const Expr& arg : e->args) {
      const ExactResult part = Walk(arg);
      if (part.status == EvalStatus::kUndefined) return part;
      if (part.status != EvalStatus::kValue) {
        status = part.status;
      } else if (status == EvalStatus::kValue) {
        if (e->kind == Kind::kAdd) {
          total += part.value;
        } else {
          total *= part.value;
        }
        if (Bits(total) > 2 * kMaxBits) status = EvalStatus::kTooBig;
      }
    }
    return {status, std::move(total)};
  }

  ExactResult Divide(const Expr& e) {
    const ExactResult above = Walk(e->args[0]);
    const ExactResult below = Walk(e->args[1]);
    if (below.status == EvalStatus::kValue && below.value == 0)
      return Status(EvalStatus::kUndefined);
    if (above.status == EvalStatus::kUndefined || below.status == EvalStatus::kUndefined)
      return Status(EvalStatus::kUndefined);
    if (above.status != EvalStatus::kValue) return above;
    if (below.status != EvalStatus::kValue) return below;
    return Of(above.value / below.value);
  }

  ExactResult Call(const Expr& e) {
    if (IsUnknown(*e)) return Bound(SymbolKey(*e));
    if (e->text == "sum" || e->text == "prod") return Series(e);
    if (e->text == "int") return {};
    std::vector<mpq_class> args;
    for (const Expr& arg : e->args) {
      const ExactResult value = Walk(arg);
      if (value.status != EvalStatus::kValue) return value;
      args.push_back(value.value);
    }
    return Function(e->text, args);
  }

  ExactResult Series(const Expr& e) {
    const ExactResult low = Walk(e->args[1]);
    const ExactResult high = Walk(e->args[2]);
    if (low.status != EvalStatus::kValue) return low;
    if (high.status != EvalStatus::kValue) return high;
    if (!IsInteger(low.value) || !IsInteger(high.value)) return {};
    if (high.value - low.value > kMaxTerms) return Status(EvalStatus::kTooBig);
    steps_ += mpz_class(high.value - low.value).get_si();
    if (steps_ > kMaxTerms) return Status(EvalStatus::kTooBig);
    ExactBindings inner = bindings_;
    mpq_class total = e->text == "sum" ? 0 : 1;
    for (mpq_class k = low.value; k <= high.value; ++k) {
      inner[SymbolKey(*e->args[0])] = k;
      Evaluator nested(inner);
      nested.steps_ = steps_;
      const ExactResult term = nested.Walk(e->args[3]);
      steps_ = nested.steps_;
      if (term.status != EvalStatus::kValue) return term;
      if (e->text == "sum") {
        total += term.value;
      } else {
        total *= term.value;
      }
      if (Bits(total) > kMaxBits) return Status(EvalStatus::kTooBig);
    }
    return Of(std::move(total));
  }

  const ExactBindings& bindings_;
  long steps_ = 0;
};

}  // namespace

std::string SymbolKey(const Node& node) {
  if (node.kind == Kind::kSymbol) return node.text;
  auto copy = std::make_shared<Node>(node);
  return "\x01" + CanonicalText(copy);
}

bool IsUnknown(const Node& node) {
  if (node.kind == Kind::kSymbol) return true;
  if (node.kind != Kind::kCall) return false;
  static const std::unordered_set<std::string_view> known = {"sin",
                                                             "cos",
                                                             "tan",
                                                             "cot",
                                                             "sec",
                                                             "csc",
                                                             "arcsin",
                                                             "arccos",
                                                             "arctan",
                                                             "arccot",
                                                             "arcsec",
                                                             "arccsc",
                                                             "sinh",
                                                             "cosh",
                                                             "tanh",
                                                             "coth",
                                                             "sech",
                                                             "csch",
                                                             "arsinh",
                                                             "arcosh",
                                                             "artanh",
                                                             "ln",
                                                             "log",
                                                             "lg",
                                                             "max",
                                                             "min",
                                                             "gcd",
                                                             "lcm",
                                                             "arg",
                                                             "Re",
                                                             "Im",
                                                             "sgn",
                                                             "abs",
                                                             "floor",
                                                             "ceil",
                                                             "factorial",
                                                             "doublefactorial",
                                                             "binom",
                                                             "mod",
                                                             "sum",
                                                             "prod",
                                                             "int",
                                                             "conj",
                                                             "erf",
                                                             "Gamma",
                                                             "zeta"};
  return known.count(node.text) == 0;
}

ExactResult ExactValue(const Expr& expression, const ExactBindings& bindings) {
  return Evaluator(bindings).Walk(expression);
}

}  // namespace assay::algebra
