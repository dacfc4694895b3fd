// One walk over a tree for every engine of numbers: balls, Calcium, algebraic numbers.
//
// An engine supplies a Value and its operations; each returns false and sets `status` where it
// cannot go on. The walk is the same for all, so that they mean the same by every node.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graders/algebra/exact.h"
#include "graders/algebra/node.h"

namespace assay::algebra {

enum class EngineStatus {
  kOk,
  kUndefined,
  kNotReal,      // a real evaluation met the root of a negative number, or the like
  kImprecise,    // more precision may help
  kUnsupported,  // this engine does not know the operation
};

// The constants that a base or an exponent stands for; exponents are read exactly where possible,
// because x^{1/3} means the real root.
template <typename Engine>
class Walker {
 public:
  using Value = typename Engine::Value;
  using Bindings = std::map<std::string, Value, std::less<>>;

  Walker(Engine& engine, const Bindings& bindings, const ExactBindings& exact)
      : engine_(engine), bindings_(bindings), exact_(exact) {}

  std::optional<Value> Walk(const Expr& e) {
    switch (e->kind) {
      case Kind::kNumber:
        return engine_.Rational(*e->number);
      case Kind::kConstant:
        return Constant(e->text);
      case Kind::kSymbol:
        return Bound(e);
      case Kind::kAdd:
        return Fold(e, &Engine::Add);
      case Kind::kMul:
        return Fold(e, &Engine::Multiply);
      case Kind::kNeg:
        return Then(Walk(e->args[0]), [&](const Value& x) { return engine_.Negate(x); });
      case Kind::kDiv:
        return Both(e->args[0], e->args[1], &Engine::Divide);
      case Kind::kPow:
        return Power(e->args[0], e->args[1]);
      case Kind::kRoot:
        return Root(e);
      case Kind::kPercent:
        return Then(Walk(e->args[0]), [&](const Value& x) {
          return engine_.Divide(x, *engine_.Rational(mpq_class(100)));
        });
      case Kind::kDegree:
        return Degrees(e->args[0]);
      case Kind::kCall:
        return Call(e);
      default:
        return Fail(EngineStatus::kUnsupported);
    }
  }

 private:
  std::optional<Value> Fail(EngineStatus status) {
    engine_.status = status;
    return std::nullopt;
  }

  template <typename Function>
  std::optional<Value> Then(std::optional<Value> value, const Function& function) {
    if (!value) return std::nullopt;
    return function(*value);
  }

  std::optional<Value> Constant(std::string_view name) {
    if (name == "pi") return engine_.Pi();
    if (name == "i") return engine_.I();
    if (name == "e") return engine_.Exp(*engine_.Rational(mpq_class(1)));
    return Fail(EngineStatus::kUnsupported);
  }

  std::optional<Value> Bound(const Expr& e) {
    const std::string key = SymbolKey(*e);
    if (const auto exact = exact_.find(key); exact != exact_.end())
      return engine_.Rational(exact->second);
    const auto found = bindings_.find(key);
    if (found == bindings_.end()) return Fail(EngineStatus::kUnsupported);
    return found->second;
  }

  using Operation = std::optional<Value> (Engine::*)(const Value&, const Value&);

  std::optional<Value> Fold(const Expr& e, Operation operation) {
    std::optional<Value> total = Walk(e->args[0]);
    for (size_t i = 1; total && i < e->args.size(); ++i) {
      std::optional<Value> next = Walk(e->args[i]);
      if (!next) return std::nullopt;
      total = (engine_.*operation)(*total, *next);
    }
    return total;
  }

  std::optional<Value> Both(const Expr& a, const Expr& b, Operation operation) {
    std::optional<Value> left = Walk(a);
    if (!left) return std::nullopt;
    std::optional<Value> right = Walk(b);
    if (!right) return std::nullopt;
    return (engine_.*operation)(*left, *right);
  }

  std::optional<Value> Degrees(const Expr& e) {
    std::optional<Value> value = Walk(e);
    if (!value) return std::nullopt;
    value = engine_.Multiply(*value, *engine_.Pi());
    return Then(value, [&](const Value& x) {
      return engine_.Divide(x, *engine_.Rational(mpq_class(180)));
    });
  }

  std::optional<Value> Power(const Expr& base, const Expr& exponent) {
    const ExactResult exact = ExactValue(exponent, exact_);
    if (exact.status == EvalStatus::kUndefined) return Fail(EngineStatus::kUndefined);
    if (exact.status == EvalStatus::kValue)
      return Then(Walk(base),
                  [&](const Value& x) { return engine_.RationalPower(x, exact.value); });
    if (base->kind == Kind::kConstant && base->text == "e")
      return Then(Walk(exponent), [&](const Value& x) { return engine_.Exp(x); });
    // b^{log_b x} is x.
    if (exponent->kind == Kind::kCall && exponent->text == "log" && exponent->args.size() == 2 &&
        CanonicalText(exponent->args[1]) == CanonicalText(base))
      return Walk(exponent->args[0]);
    return Both(base, exponent, &Engine::Power);
  }

  std::optional<Value> Root(const Expr& e) {
    const ExactResult index = ExactValue(e->args[1], exact_);
    if (index.status == EvalStatus::kValue && index.value != 0)
      return Then(Walk(e->args[0]),
                  [&](const Value& x) { return engine_.RationalPower(x, 1 / index.value); });
    std::optional<Value> radicand = Walk(e->args[0]);
    if (!radicand) return std::nullopt;
    std::optional<Value> n = Walk(e->args[1]);
    if (!n) return std::nullopt;
    std::optional<Value> inverse = engine_.Divide(*engine_.Rational(mpq_class(1)), *n);
    if (!inverse) return std::nullopt;
    return engine_.Power(*radicand, *inverse);
  }

  std::optional<Value> Call(const Expr& e) {
    if (IsUnknown(*e)) return Bound(e);
    if (e->text == "sum" || e->text == "prod") return Series(e);
    if (e->text == "int") return Fail(EngineStatus::kUnsupported);
    const ExactResult exact = ExactValue(e, exact_);
    if (exact.status == EvalStatus::kValue) return engine_.Rational(exact.value);
    if (exact.status == EvalStatus::kUndefined) return Fail(EngineStatus::kUndefined);
    std::vector<Value> args;
    for (const Expr& arg : e->args) {
      std::optional<Value> value = Walk(arg);
      if (!value) return std::nullopt;
      args.push_back(std::move(*value));
    }
    return engine_.Function(e->text, args);
  }

  std::optional<Value> Series(const Expr& e) {
    const ExactResult low = ExactValue(e->args[1], exact_);
    const ExactResult high = ExactValue(e->args[2], exact_);
    if (low.status != EvalStatus::kValue || high.status != EvalStatus::kValue ||
        low.value.get_den() != 1 || high.value.get_den() != 1 || high.value - low.value > kMaxTerms)
      return Fail(EngineStatus::kUnsupported);
    steps_ += mpz_class(high.value - low.value).get_si();
    if (steps_ > kMaxTerms) return Fail(EngineStatus::kUnsupported);
    const bool sum = e->text == "sum";
    std::optional<Value> total = engine_.Rational(mpq_class(sum ? 0 : 1));
    ExactBindings inner = exact_;
    for (mpq_class k = low.value; total && k <= high.value; ++k) {
      inner[SymbolKey(*e->args[0])] = k;
      Walker nested(engine_, bindings_, inner);
      nested.steps_ = steps_;
      std::optional<Value> term = nested.Walk(e->args[3]);
      steps_ = nested.steps_;
      if (!term) return std::nullopt;
      total = sum ? engine_.Add(*total, *term) : engine_.Multiply(*total, *term);
    }
    return total;
  }

  Engine& engine_;
  const Bindings& bindings_;
  const ExactBindings& exact_;
  long steps_ = 0;
};

}  // namespace assay::algebra
