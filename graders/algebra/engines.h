// The three engines of numbers: complex balls (Arb), Calcium, and algebraic numbers (qqbar).
//
// Values are owned by the engine's thread and, for Calcium, must not outlive their engine.
#pragma once

#include <gmpxx.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "graders/algebra/evaluate.h"

struct assay_calcium;
struct assay_number;
struct assay_algebraic;

namespace assay::algebra {

// --- Arb: a complex number known to lie in a ball. ---
class BallEngine {
 public:
  class Value {
   public:
    Value();
    Value(const Value& other);
    Value(Value&& other) noexcept;
    Value& operator=(Value other) noexcept;
    ~Value();
    struct Holder;
    Holder* get() const { return holder_; }

   private:
    Holder* holder_;
  };

  // `real`: an intermediate value off the real line ends the evaluation with kNotReal.
  BallEngine(long precision_bits, bool real) : precision(precision_bits), real_only(real) {}

  std::optional<Value> Rational(const mpq_class& value);
  std::optional<Value> Pi();
  std::optional<Value> I();
  std::optional<Value> Add(const Value& a, const Value& b);
  std::optional<Value> Multiply(const Value& a, const Value& b);
  std::optional<Value> Divide(const Value& a, const Value& b);
  std::optional<Value> Negate(const Value& a);
  std::optional<Value> Exp(const Value& a);
  std::optional<Value> Power(const Value& a, const Value& b);
  std::optional<Value> RationalPower(const Value& a, const mpq_class& exponent);
  std::optional<Value> Function(std::string_view name, const std::vector<Value>& args);

  EngineStatus status = EngineStatus::kOk;
  long precision;
  bool real_only;

 private:
  std::optional<Value> Checked(Value value);
  std::optional<Value> Fail(EngineStatus why);
};

// What two balls say about the numbers inside.
struct BallComparison {
  bool different = false;  // certainly
  int digits = 0;          // to which they agree, relative to the larger
  int whole_digits = 0;    // of the value, before the decimal point; 0 where different
};
BallComparison CompareBalls(const BallEngine::Value& a, const BallEngine::Value& b,
                            long precision_bits);
// -1, 0 (contains 0, or is not real) or 1.
int SignOf(const BallEngine::Value& value);
bool IsRealBall(const BallEngine::Value& value);
double MidpointOf(const BallEngine::Value& value);  // of the real part
// |a - b| <= bound, certainly.
bool WithinBound(const BallEngine::Value& a, const BallEngine::Value& b, const mpq_class& bound,
                 long precision_bits);
// The digits that are known, for people; "" where it is not real.
std::string BallText(const BallEngine::Value& value, int digits);

// A definite integral of an analytic function of one variable, as a ball.
std::optional<BallEngine::Value> Integrate(const Expr& integral, long precision_bits);

// --- Calcium: exact, deciding zero where it can. ---
class CalciumEngine {
 public:
  class Value {
   public:
    Value() = default;
    Value(assay_calcium* context, assay_number* number);
    assay_number* get() const { return number_.get(); }

   private:
    std::shared_ptr<assay_number> number_;  // immutable once made, hence shared by copies
  };

  CalciumEngine();
  ~CalciumEngine();
  CalciumEngine(const CalciumEngine&) = delete;
  CalciumEngine& operator=(const CalciumEngine&) = delete;

  std::optional<Value> Rational(const mpq_class& value);
  std::optional<Value> Pi();
  std::optional<Value> I();
  std::optional<Value> Add(const Value& a, const Value& b);
  std::optional<Value> Multiply(const Value& a, const Value& b);
  std::optional<Value> Divide(const Value& a, const Value& b);
  std::optional<Value> Negate(const Value& a);
  std::optional<Value> Exp(const Value& a);
  std::optional<Value> Power(const Value& a, const Value& b);
  std::optional<Value> RationalPower(const Value& a, const mpq_class& exponent);
  std::optional<Value> Function(std::string_view name, const std::vector<Value>& args);

  // Nothing: not decided.
  std::optional<bool> IsZero(const Value& value);

  EngineStatus status = EngineStatus::kOk;

 private:
  Value New();
  std::optional<Value> Checked(Value value);
  std::optional<Value> Unary(int op, const Value& a);
  std::optional<Value> Binary(int op, const Value& a, const Value& b);
  assay_calcium* context_;
};

// --- qqbar: algebraic numbers, and rational multiples of pi where an angle is wanted. ---
class AlgebraicEngine {
 public:
  struct Value {
    std::shared_ptr<assay_algebraic> number;  // null: `rational` times pi
    std::optional<mpq_class> rational;        // the number, where it is known to be rational
  };

  std::optional<Value> Rational(const mpq_class& value);
  std::optional<Value> Pi();
  std::optional<Value> I();
  std::optional<Value> Add(const Value& a, const Value& b);
  std::optional<Value> Multiply(const Value& a, const Value& b);
  std::optional<Value> Divide(const Value& a, const Value& b);
  std::optional<Value> Negate(const Value& a);
  std::optional<Value> Exp(const Value& a);
  std::optional<Value> Power(const Value& a, const Value& b);
  std::optional<Value> RationalPower(const Value& a, const mpq_class& exponent);
  std::optional<Value> Function(std::string_view name, const std::vector<Value>& args);

  std::optional<bool> Equal(const Value& a, const Value& b);

  EngineStatus status = EngineStatus::kOk;

 private:
  std::optional<Value> Fail(EngineStatus why);
  std::optional<Value> Binary(int op, const Value& a, const Value& b);
};

}  // namespace assay::algebra
