// The tests: value is name(arguments).
#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/template_value.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;

template <Kind kKind>
ValueOr IsKind(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.kind == kKind);
}

template <bool kWanted>
ValueOr IsExactly(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.is(Kind::kBool) && input.boolean == kWanted);
}

ValueOr IsDefined(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(!input.is_undefined());
}
ValueOr IsInteger(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.is(Kind::kInteger) || input.is(Kind::kBigInteger));
}
ValueOr IsNumber(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.is_number() || input.is(Kind::kBigInteger));
}
ValueOr IsIterableTest(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(IsIterable(input));
}

ValueOr IsSequence(Runtime&, const Value& input, const Bound&) {
  // Whatever has a length and can be subscripted: so dicts too, and even an undefined value.
  return Value::Bool(input.is_undefined() || input.is_string() || input.is_sequence() ||
                     input.is(Kind::kDict) || input.is(Kind::kRange));
}

ValueOr IsCallable(Runtime&, const Value& input, const Bound&) {
  // An undefined value has a __call__, which raises.
  return Value::Bool(input.is_undefined() || input.is(Kind::kMacro) || input.is(Kind::kFunction) ||
                     input.is(Kind::kMethod) || input.is(Kind::kLoop) || input.is(Kind::kJoiner));
}

ValueOr IsEscaped(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.is_string() && input.safe);
}

// Is every letter of that case, and is there one?
ValueOr HasCase(Runtime& runtime, const Value& input, bool (*wanted)(char32_t),
                bool (*unwanted)(char32_t)) {
  ASSIGN_OR_RETURN(const std::string_view text, TextOf(runtime, input));
  RETURN_IF_ERROR(runtime.ChargeBytes(text.size() * 4));
  bool found = false;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = Decode(text, &i);
    if (unwanted(c) || IsTitle(c)) return Value::Bool(false);
    found = found || wanted(c);
  }
  return Value::Bool(found);
}
ValueOr HasLowerCase(Runtime& runtime, const Value& input, const Bound&) {
  return HasCase(runtime, input, IsLower, IsUpper);
}
ValueOr HasUpperCase(Runtime& runtime, const Value& input, const Bound&) {
  return HasCase(runtime, input, IsUpper, IsLower);
}

ValueOr IsRemainder(Runtime& runtime, const Value& input, const Value& divisor, int64_t wanted) {
  ASSIGN_OR_RETURN(const Value rest, Arithmetic(runtime, Operator::kModulo, input, divisor));
  ASSIGN_OR_RETURN(const bool equal, Equal(runtime, rest, Value::Integer(wanted)));
  return Value::Bool(equal);
}
ValueOr IsOdd(Runtime& runtime, const Value& input, const Bound&) {
  return IsRemainder(runtime, input, Value::Integer(2), 1);
}
ValueOr IsEven(Runtime& runtime, const Value& input, const Bound&) {
  return IsRemainder(runtime, input, Value::Integer(2), 0);
}
ValueOr IsDivisible(Runtime& runtime, const Value& input, const Bound& args) {
  return IsRemainder(runtime, input, *args[0], 0);
}

ValueOr IsSame(Runtime&, const Value& input, const Bound& args) {
  const Value& other = *args[0];
  if (input.kind != other.kind) return Value::Bool(false);
  switch (input.kind) {
    case Kind::kNone:
      return Value::Bool(true);
    case Kind::kBool:
      return Value::Bool(input.boolean == other.boolean);
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kNamespace:
    case Kind::kMacro:
    case Kind::kGenerator:
      return Value::Bool(input.json == other.json && input.size == other.size);
    default:
      // Whether two equal numbers or strings are one object is up to the Python that runs.
      return InvalidArgument("sameas is not supported for '%s'", TypeName(input));
  }
}

ValueOr IsIn(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool in, In(runtime, input, *args[0]));
  return Value::Bool(in);
}

ValueOr IsEqual(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool equal, Equal(runtime, input, *args[0]));
  return Value::Bool(equal);
}
ValueOr IsUnequal(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool equal, Equal(runtime, input, *args[0]));
  return Value::Bool(!equal);
}
ValueOr IsLess(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool less, Less(runtime, input, *args[0]));
  return Value::Bool(less);
}
ValueOr IsGreater(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool less, Less(runtime, *args[0], input));
  return Value::Bool(less);
}
ValueOr IsLessOrEqual(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool answer, LessOrEqual(runtime, input, *args[0]));
  return Value::Bool(answer);
}
ValueOr IsGreaterOrEqual(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const bool answer, LessOrEqual(runtime, *args[0], input));
  return Value::Bool(answer);
}

ValueOr IsFilterName(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.is_string() && FindFilter(input.view_text()) != nullptr);
}
ValueOr IsTestName(Runtime&, const Value& input, const Bound&) {
  return Value::Bool(input.is_string() && FindTest(input.view_text()) != nullptr);
}

constexpr FunctionSpec kTests[] = {
    {"!=", "/other", 1, IsUnequal},
    {"<", "/other", 1, IsLess},
    {"<=", "/other", 1, IsLessOrEqual},
    {"==", "/other", 1, IsEqual},
    {">", "/other", 1, IsGreater},
    {">=", "/other", 1, IsGreaterOrEqual},
    {"boolean", "", 0, IsKind<Kind::kBool>},
    {"callable", "", 0, IsCallable},
    {"defined", "", 0, IsDefined},
    {"divisibleby", "num", 1, IsDivisible},
    {"eq", "/other", 1, IsEqual},
    {"equalto", "/other", 1, IsEqual},
    {"escaped", "", 0, IsEscaped},
    {"even", "", 0, IsEven},
    {"false", "", 0, IsExactly<false>},
    {"filter", "", 0, IsFilterName},
    {"float", "", 0, IsKind<Kind::kReal>},
    {"ge", "/other", 1, IsGreaterOrEqual},
    {"greaterthan", "/other", 1, IsGreater},
    {"gt", "/other", 1, IsGreater},
    {"in", "seq", 1, IsIn},
    {"integer", "", 0, IsInteger},
    {"iterable", "", 0, IsIterableTest},
    {"le", "/other", 1, IsLessOrEqual},
    {"lessthan", "/other", 1, IsLess},
    {"lower", "", 0, HasLowerCase},
    {"lt", "/other", 1, IsLess},
    {"mapping", "", 0, IsKind<Kind::kDict>},
    {"ne", "/other", 1, IsUnequal},
    {"none", "", 0, IsKind<Kind::kNone>},
    {"number", "", 0, IsNumber},
    {"odd", "", 0, IsOdd},
    {"sameas", "other", 1, IsSame},
    {"sequence", "", 0, IsSequence},
    {"string", "", 0, IsKind<Kind::kString>},
    {"test", "", 0, IsTestName},
    {"true", "", 0, IsExactly<true>},
    {"undefined", "", 0, IsKind<Kind::kUndefined>},
    {"upper", "", 0, HasUpperCase},
};

}  // namespace

std::span<const FunctionSpec> TestTable() { return kTests; }

const FunctionSpec* FindTest(std::string_view name) {
  for (const FunctionSpec& spec : kTests) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

absl::Status NoSuchTest(std::string_view name) {
  std::vector<std::string> names;
  for (const FunctionSpec& spec : kTests) names.emplace_back(spec.name);
  return InvalidArgument("there is no test '%s'%s", name, DidYouMean(name, names));
}

}  // namespace assay::jinja
