// Two walks: the first collects the parts of all arguments and the denominators of their factors,
// the second writes the functions in powers of one symbol for each part.
#include "graders/algebra/exponentials.h"

#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "graders/algebra/decide.h"
#include "graders/algebra/exact.h"

namespace assay::algebra {
namespace {

constexpr int kMostNodes = 160;
constexpr long kMostPower = 24;
constexpr size_t kMostSymbols = 6;

bool IsTrigonometric(std::string_view name) {
  return name == "sin" || name == "cos" || name == "tan" || name == "cot" || name == "sec" ||
         name == "csc";
}
// "sinh" -> "sin"; "" for others.
std::string_view OfHyperbolic(std::string_view name) {
  const bool hyperbolic = name == "sinh" || name == "cosh" || name == "tanh" || name == "coth" ||
                          name == "sech" || name == "csch";
  return hyperbolic ? name.substr(0, 3) : std::string_view();
}

// An exponent as rational multiples of parts: {"x": 2, "sqrt(3)*t": 1/2}; of pi apart.
struct Linear {
  std::map<std::string, mpq_class> parts;
  mpq_class turns = 0;  // of pi
};

// q times a part, where a term is that.
void AddTerm(const Expr& term, const mpq_class& factor, Linear* out) {
  mpq_class rational = factor;
  std::vector<Expr> rest;
  const auto take = [&](const Expr& e, bool inverse) {
    const ExactResult value = ExactValue(e);
    if (value.status != EvalStatus::kValue || value.value == 0) return false;
    rational = inverse ? mpq_class(rational / value.value) : mpq_class(rational * value.value);
    return true;
  };
  if (term->kind == Kind::kNeg) {
    AddTerm(term->args[0], -factor, out);
    return;
  }
  if (term->kind == Kind::kDiv && take(term->args[1], true)) {
    AddTerm(term->args[0], rational, out);
    return;
  }
  if (term->kind == Kind::kAdd) {
    for (const Expr& part : term->args) AddTerm(part, factor, out);
    return;
  }
  if (term->kind == Kind::kMul) {
    for (const Expr& part : term->args)
      if (!take(part, false)) rest.push_back(part);
    if (rest.size() == 1) {
      AddTerm(rest[0], rational, out);
      return;
    }
  } else if (!take(term, false)) {
    rest.push_back(term);
  }
  if (rest.size() == 1 && rest[0]->kind == Kind::kConstant && rest[0]->text == "pi") {
    out->turns += rational;
    return;
  }
  const std::string name = rest.empty() ? "1" : CanonicalText(MakeProduct(std::move(rest)));
  out->parts[name] += rational;
}

Linear LinearOf(const Expr& e) {
  Linear linear;
  AddTerm(e, 1, &linear);
  return linear;
}

// The primes of a positive fraction of small numbers with their powers; empty for others.
std::map<long, long> PrimesOf(const Expr& base) {
  const ExactResult value = ExactValue(base);
  std::map<long, long> primes;
  if (value.status != EvalStatus::kValue || value.value <= 0 || value.value.get_num() > 10000 ||
      value.value.get_den() > 10000)
    return primes;
  const auto add = [&](long rest, long sign) {
    for (long p = 2; p <= rest; ++p)
      for (; rest % p == 0; rest /= p) primes[p] += sign;
  };
  add(value.value.get_num().get_si(), 1);
  add(value.value.get_den().get_si(), -1);
  return primes;
}

// An exponential with a whole argument: which kind of base, and the argument.
struct Exponential {
  std::vector<std::pair<std::string, mpq_class>> kinds;  // "i", "e", or a prime; its multiplicity
  Linear argument;
};

class Rewriter {
 public:
  // The first walk. False: no rational function of exponentials.
  bool Collect(const Expr& e) {
    if (IsConstant(e)) return true;
    switch (e->kind) {
      case Kind::kSymbol:
        return true;
      case Kind::kAdd:
      case Kind::kMul:
      case Kind::kDiv:
      case Kind::kNeg:
        break;
      case Kind::kPow:
        if (const auto exponential = OfPower(e)) return Note(*exponential);
        if (!IsSmallWhole(e->args[1])) return false;
        return Collect(e->args[0]);
      case Kind::kCall:
        if (const auto exponential = OfCall(e)) return Note(*exponential);
        return false;
      default:
        return false;
    }
    for (const Expr& arg : e->args)
      if (!Collect(arg)) return false;
    return true;
  }

  bool found() const { return !denominators_.empty() && denominators_.size() <= kMostSymbols; }

  // The second walk; null where a power is too high.
  Expr Rewrite(const Expr& e) {
    if (IsConstant(e) || e->kind == Kind::kSymbol) return e;
    if (e->kind == Kind::kPow) {
      if (const auto exponential = OfPower(e)) return Product(*exponential);
    }
    if (e->kind == Kind::kCall) return FunctionOf(e);
    auto copy = std::make_shared<Node>(*e);
    for (Expr& arg : copy->args) {
      arg = Rewrite(arg);
      if (!arg) return nullptr;
    }
    return copy;
  }

 private:
  static bool IsSmallWhole(const Expr& e) {
    const ExactResult value = ExactValue(e);
    return value.status == EvalStatus::kValue && value.value.get_den() == 1 &&
           abs(value.value) <= kMostPower;
  }

  static std::optional<Exponential> OfCall(const Expr& e) {
    if (e->args.size() != 1) return std::nullopt;
    if (IsTrigonometric(e->text)) return Exponential{{{"i", 1}}, LinearOf(e->args[0])};
    if (!OfHyperbolic(e->text).empty()) return Exponential{{{"e", 1}}, LinearOf(e->args[0])};
    return std::nullopt;
  }

  static std::optional<Exponential> OfPower(const Expr& e) {
    if (IsConstant(e->args[1])) return std::nullopt;
    if (e->args[0]->kind == Kind::kConstant && e->args[0]->text == "e") return OfE(e->args[1]);
    const auto primes = PrimesOf(e->args[0]);
    if (primes.empty()) return std::nullopt;
    Exponential exponential;
    for (const auto& [prime, power] : primes)
      exponential.kinds.push_back({std::to_string(prime), mpq_class(power)});
    exponential.argument = LinearOf(e->args[1]);
    return exponential;
  }

  // e^{i u} and e^{u}; a mixture is left alone.
  static std::optional<Exponential> OfE(const Expr& exponent) {
    const auto is_i = [](const Node& n) { return n.kind == Kind::kConstant && n.text == "i"; };
    if (!Any(exponent, is_i)) return Exponential{{{"e", 1}}, LinearOf(exponent)};
    if (exponent->kind != Kind::kMul && exponent->kind != Kind::kNeg) return std::nullopt;
    const bool negative = exponent->kind == Kind::kNeg;
    const Expr& product = negative ? exponent->args[0] : exponent;
    if (product->kind != Kind::kMul) return std::nullopt;
    std::vector<Expr> rest;
    int imaginary = 0;
    for (const Expr& factor : product->args) {
      if (is_i(*factor)) {
        ++imaginary;
      } else if (Any(factor, is_i)) {
        return std::nullopt;
      } else {
        rest.push_back(factor);
      }
    }
    if (imaginary != 1 || rest.empty()) return std::nullopt;
    Expr argument = MakeProduct(std::move(rest));
    if (negative) argument = Negate(argument);
    return Exponential{{{"i", 1}}, LinearOf(argument)};
  }

  bool Note(const Exponential& exponential) {
    for (const auto& [kind, multiplicity] : exponential.kinds) {
      for (const auto& [part, factor] : exponential.argument.parts) {
        const mpq_class power = factor * multiplicity;
        if (!power.get_den().fits_slong_p()) return false;
        long& denominator = denominators_[kind + " " + part];
        if (denominator == 0) denominator = 1;
        denominator = std::lcm(denominator, power.get_den().get_si());
        if (denominator > kMostPower) return false;
      }
    }
    return true;
  }

  // The product of the symbols' powers, with what is constant in it; null where it is too high.
  Expr Product(const Exponential& exponential) {
    std::vector<Expr> factors;
    for (const auto& [kind, multiplicity] : exponential.kinds) {
      for (const auto& [part, factor] : exponential.argument.parts) {
        const std::string key = kind + " " + part;
        const mpq_class power = factor * multiplicity * denominators_.at(key);
        if (power == 0) continue;
        if (abs(power) > kMostPower) return nullptr;
        factors.push_back(MakeNode(
            Kind::kPow, {MakeSymbol("\x03" + key), MakeInteger(power.get_num().get_si())}));
      }
      if (exponential.argument.turns == 0) continue;
      const Expr turn =
          MakeProduct({MakeNumber(exponential.argument.turns * multiplicity), MakeConstant("pi")});
      if (kind == "i") {
        // e^{i pi q}
        factors.push_back(MakeSum(
            {MakeCall("cos", {turn}), MakeProduct({MakeConstant("i"), MakeCall("sin", {turn})})}));
      } else {
        const Expr base = kind == "e" ? MakeConstant("e") : MakeInteger(std::stol(kind));
        factors.push_back(MakeNode(Kind::kPow, {base, turn}));
      }
    }
    return factors.empty() ? MakeInteger(1) : MakeProduct(std::move(factors));
  }

  Expr FunctionOf(const Expr& e) {
    const auto exponential = OfCall(e);
    if (!exponential) return nullptr;
    const Expr z = Product(*exponential);
    if (!z) return nullptr;
    const bool circular = IsTrigonometric(e->text);
    const std::string_view name = circular ? std::string_view(e->text) : OfHyperbolic(e->text);
    const Expr one_over = MakeNode(Kind::kDiv, {MakeInteger(1), z});
    const Expr two = MakeInteger(2);
    const Expr sine_below = circular ? MakeProduct({two, MakeConstant("i")}) : two;
    const Expr sine = MakeNode(Kind::kDiv, {Subtract(z, one_over), sine_below});
    const Expr cosine = MakeNode(Kind::kDiv, {MakeSum({z, one_over}), two});
    const auto over = [](const Expr& a, const Expr& b) { return MakeNode(Kind::kDiv, {a, b}); };
    if (name == "sin") return sine;
    if (name == "cos") return cosine;
    if (name == "tan") return over(sine, cosine);
    if (name == "cot") return over(cosine, sine);
    if (name == "sec") return over(MakeInteger(1), cosine);
    return over(MakeInteger(1), sine);
  }

  std::map<std::string, long> denominators_;  // of a kind and part: of its factors, in common
};

int CountNodes(const Expr& e) {
  int count = 1;
  for (const Expr& arg : e->args) count += CountNodes(arg);
  return count;
}

}  // namespace

std::optional<std::pair<Expr, Expr>> AsRationalFunctions(const Expr& a, const Expr& b) {
  if (CountNodes(a) + CountNodes(b) > kMostNodes) return std::nullopt;
  Rewriter rewriter;
  if (!rewriter.Collect(a) || !rewriter.Collect(b) || !rewriter.found()) return std::nullopt;
  const Expr left = rewriter.Rewrite(a);
  const Expr right = left ? rewriter.Rewrite(b) : nullptr;
  if (!right || CountNodes(left) + CountNodes(right) > 4 * kMostNodes) return std::nullopt;
  return std::pair{left, right};
}

}  // namespace assay::algebra
