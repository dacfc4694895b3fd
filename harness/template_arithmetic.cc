// + - * / // % ** of template values as Python computes them, in 64 bits.
#include <cmath>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/template_value.h"

namespace assay::jinja {
namespace {

constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "**"};

absl::Status Unsupported(Operator op, const Value& a, const Value& b) {
  return InvalidArgument("unsupported operand type(s) for %s: '%s' and '%s'",
                         kSigns[static_cast<size_t>(op)], TypeName(a), TypeName(b));
}

absl::Status Overflow() { return InvalidArgument("an integer outside 64 bits"); }
absl::Status ZeroDivision() { return InvalidArgument("division by zero"); }

absl::StatusOr<Value> IntegerPower(int64_t base, int64_t exponent) {
  int64_t result = 1;
  // |base| >= 2 overflows within 64 rounds; 0, 1, -1 need no rounds beyond their parity.
  if (base >= -1 && base <= 1) exponent = exponent == 0 ? 0 : 2 - exponent % 2;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) return Overflow();
  }
  return Value::Integer(result);
}

// Python's floor division and modulo: the remainder takes the divisor's sign.
struct RealDivision {
  double quotient, remainder;
};

RealDivision DivideReals(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), remainder};
  const double floored = std::floor(quotient);
  return {quotient - floored > 0.5 ? floored + 1 : floored, remainder};
}

absl::StatusOr<Value> Integers(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return Overflow();
      return Value::Integer(result);
    case Operator::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) return Overflow();
      return Value::Integer(result);
    case Operator::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) return Overflow();
      return Value::Integer(result);
    case Operator::kDivide:
      if (b == 0) return ZeroDivision();
      return Value::Real(static_cast<double>(static_cast<long double>(a) / b));
    case Operator::kFloorDivide:
    case Operator::kModulo: {
      if (b == 0) return ZeroDivision();
      if (b == -1) {  // INT64_MIN / -1 traps
        if (op == Operator::kModulo) return Value::Integer(0);
        return Integers(Operator::kSubtract, 0, a);
      }
      const bool down = a % b != 0 && (a < 0) != (b < 0);
      if (op == Operator::kFloorDivide) return Value::Integer(a / b - (down ? 1 : 0));
      return Value::Integer(a % b + (down ? b : 0));
    }
    case Operator::kPower:
      if (b >= 0) return IntegerPower(a, b);
      if (a == 0) return InvalidArgument("0.0 cannot be raised to a negative power");
      return Value::Real(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  return Overflow();
}

absl::StatusOr<Value> Reals(Operator op, double a, double b) {
  switch (op) {
    case Operator::kAdd:
      return Value::Real(a + b);
    case Operator::kSubtract:
      return Value::Real(a - b);
    case Operator::kMultiply:
      return Value::Real(a * b);
    case Operator::kDivide:
      if (b == 0) return ZeroDivision();
      return Value::Real(a / b);
    case Operator::kFloorDivide:
      if (b == 0) return ZeroDivision();
      return Value::Real(DivideReals(a, b).quotient);
    case Operator::kModulo:
      if (b == 0) return ZeroDivision();
      return Value::Real(DivideReals(a, b).remainder);
    case Operator::kPower: {
      if (a == 0 && b < 0) return InvalidArgument("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
        return InvalidArgument("a complex number is not supported");
      }
      const double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
        return InvalidArgument("a result too large for a float");
      }
      return Value::Real(result);
    }
  }
  return Overflow();
}

// One side is |safe: the other is escaped, unless it is safe too.
absl::StatusOr<Value> AddStrings(Runtime& runtime, const Value& a, const Value& b) {
  RETURN_IF_ERROR(runtime.Reserve(a.size + b.size));
  RETURN_IF_ERROR(runtime.ChargeBytes(a.size + b.size));
  Value sum = a;
  if (a.safe == b.safe) {
    sum = Value::String(runtime.arena().Concatenate(a.view_text(), b.view_text()));
    sum.safe = a.safe;
    return sum;
  }
  sum = runtime.NewString(a.safe ? std::string(a.view_text()) + EscapeHtml(b.view_text())
                                 : EscapeHtml(a.view_text()) + std::string(b.view_text()));
  sum.safe = true;
  return sum;
}

absl::StatusOr<Value> AddSequences(Runtime& runtime, const Value& a, const Value& b) {
  const size_t total = a.size + b.size;
  RETURN_IF_ERROR(runtime.Reserve(total * sizeof(Value)));
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(total / 8)));
  ASSIGN_OR_RETURN(const std::span<const Value> left, Items(runtime, a));
  ASSIGN_OR_RETURN(const std::span<const Value> right, Items(runtime, b));
  Value* items = runtime.arena().NewArray<Value>(total);
  std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), items));
  return a.is(Kind::kTuple) ? Value::Tuple({items, total}) : Value::List({items, total});
}

absl::StatusOr<Value> Repeat(Runtime& runtime, const Value& value, int64_t times) {
  const size_t count = times > 0 ? static_cast<size_t>(times) : 0;
  const size_t unit = value.is_string() ? 1 : sizeof(Value);
  if (value.size != 0 && count > runtime.limits().max_memory_bytes / unit / value.size) {
    return runtime.Reserve(runtime.limits().max_memory_bytes + 1);
  }
  const size_t total = count * value.size;
  RETURN_IF_ERROR(runtime.Reserve(total * unit));
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(total / 16)));
  if (value.is_string()) {
    char* text = runtime.arena().Allocate(total, 1);
    for (size_t i = 0; value.size != 0 && i < count; ++i) {
      std::memcpy(text + i * value.size, value.text, value.size);
    }
    Value result = Value::String({text, total});
    result.safe = value.safe;
    return result;
  }
  ASSIGN_OR_RETURN(const std::span<const Value> unit_items, Items(runtime, value));
  Value* items = runtime.arena().NewArray<Value>(total);
  for (size_t i = 0; i < total; ++i) items[i] = unit_items[i % unit_items.size()];
  return value.is(Kind::kTuple) ? Value::Tuple({items, total}) : Value::List({items, total});
}

bool Repeatable(const Value& value) { return value.is_string() || value.is_sequence(); }

}  // namespace

absl::StatusOr<Value> Arithmetic(Runtime& runtime, Operator op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return Integers(op, a.as_integer(), b.as_integer());
  if (a.is_number() && b.is_number()) return Reals(op, a.as_real(), b.as_real());
  if (op == Operator::kModulo && a.is_string()) return PercentFormat(runtime, a, b);
  if (a.is_undefined()) return UndefinedError(a);
  if (b.is_undefined()) return UndefinedError(b);
  if (a.is(Kind::kBigInteger) || b.is(Kind::kBigInteger)) return Overflow();
  if (op == Operator::kAdd && a.is_string() && b.is_string()) return AddStrings(runtime, a, b);
  if (op == Operator::kAdd && a.is_sequence() && a.kind == b.kind) {
    return AddSequences(runtime, a, b);
  }
  if (op == Operator::kMultiply && Repeatable(a) && b.is_integral()) {
    return Repeat(runtime, a, b.as_integer());
  }
  if (op == Operator::kMultiply && a.is_integral() && Repeatable(b)) {
    return Repeat(runtime, b, a.as_integer());
  }
  return Unsupported(op, a, b);
}

absl::StatusOr<Value> Negate(const Value& value) {
  if (value.is_undefined()) return UndefinedError(value);
  if (value.is_integral()) return Integers(Operator::kSubtract, 0, value.as_integer());
  if (value.is(Kind::kReal)) return Value::Real(-value.real);
  if (value.is(Kind::kBigInteger)) return Overflow();
  return InvalidArgument("bad operand type for unary -: '%s'", TypeName(value));
}

absl::StatusOr<Value> Plus(const Value& value) {
  if (value.is_undefined()) return UndefinedError(value);
  if (value.is_integral()) return Value::Integer(value.as_integer());
  if (value.is(Kind::kReal) || value.is(Kind::kBigInteger)) return value;
  return InvalidArgument("bad operand type for unary +: '%s'", TypeName(value));
}

}  // namespace assay::jinja
