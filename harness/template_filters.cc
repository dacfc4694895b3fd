// The filters: value|name(arguments).
#include <algorithm>
#include <array>
#include <cmath>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/template_value.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

using ValueOr = absl::StatusOr<Value>;
using ValuesOr = absl::StatusOr<std::vector<Value>>;  // of a generator

// soft_str: a string as it is (|safe stays safe), anything else as text.
ValueOr Soft(Runtime& runtime, const Value& value) {
  if (value.is_string()) return value;
  ASSIGN_OR_RETURN(const std::string_view text, TextOf(runtime, value));
  return Value::String(text);
}

// change(text) of the soft string, and as safe as it was.
template <typename Change>
ValueOr Changed(Runtime& runtime, const Value& value, Change change) {
  ASSIGN_OR_RETURN(const Value soft, Soft(runtime, value));
  RETURN_IF_ERROR(runtime.ChargeBytes(soft.size * 4));
  Value result = runtime.NewString(change(soft.view_text()));
  result.safe = soft.safe;
  return result;
}

absl::StatusOr<int64_t> IntegerArgument(const Value* value, int64_t standard,
                                        std::string_view name) {
  if (value == nullptr) return standard;
  if (value->is_undefined()) return UndefinedError(*value);
  if (value->is_integral()) return value->as_integer();
  return InvalidArgument("'%s' must be int, not %s", name, TypeName(*value));
}

// What sorting, unique, min and max compare by: letters without their case.
ValueOr SortKey(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is_string()) return value;
  RETURN_IF_ERROR(runtime.ChargeBytes(value.size));
  return runtime.NewString(LowerText(value.view_text()));
}

// ---- text ----

ValueOr Lower(Runtime& runtime, const Value& input, const Bound&) {
  return Changed(runtime, input, LowerText);
}
ValueOr Upper(Runtime& runtime, const Value& input, const Bound&) {
  return Changed(runtime, input, UpperText);
}
ValueOr Capitalize(Runtime& runtime, const Value& input, const Bound&) {
  return Changed(runtime, input, CapitalizeText);
}

// Jinja2's own |title: words begin after blanks and - ( { [ <, not after apostrophes.
ValueOr Title(Runtime& runtime, const Value& input, const Bound&) {
  ASSIGN_OR_RETURN(const Value soft, Soft(runtime, input));
  const std::string_view text = soft.view_text();
  RETURN_IF_ERROR(runtime.ChargeBytes(soft.size * 4));
  const auto divides = [](char32_t c) {
    return IsSpace(c) || (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) !=
                                          std::string_view::npos);
  };
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    const bool dividing = divides(Decode(text, &end));
    const size_t second = end;
    for (size_t next = end; next < text.size() && divides(Decode(text, &next)) == dividing;) {
      end = next;
    }
    out += UpperText(text.substr(i, second - i)) + LowerText(text.substr(second, end - second));
    i = end;
  }
  return runtime.NewString(out);
}

ValueOr Trim(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const Value soft, Soft(runtime, input));
  RETURN_IF_ERROR(runtime.ChargeBytes(soft.size));
  const Value* characters = args.given(0);
  Value result = soft;
  if (characters == nullptr) {
    result = Value::String(StripBlanks(soft.view_text()));
  } else {
    if (!characters->is_string()) return InvalidArgument("strip arg must be None or str");
    RETURN_IF_ERROR(runtime.ChargeBytes(soft.size * characters->size));
    result = Value::String(StripCharacters(soft.view_text(), characters->view_text(), Side::kBoth));
  }
  result.safe = soft.safe;
  return result;
}

ValueOr Replace(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const std::string_view text, TextOf(runtime, input));
  ASSIGN_OR_RETURN(const std::string_view from, TextOf(runtime, *args[0]));
  ASSIGN_OR_RETURN(const std::string_view to, TextOf(runtime, *args[1]));
  ASSIGN_OR_RETURN(const int64_t count, IntegerArgument(args.given(2), -1, "count"));
  return ReplaceText(runtime, text, from, to, count);
}

ValueOr Indent(Runtime& runtime, const Value& input, const Bound& args) {
  if (!input.is_string()) {
    if (input.is_undefined()) return UndefinedError(input);
    return InvalidArgument("indent needs a str, not %s", TypeName(input));
  }
  std::string indention(4, ' ');
  if (const Value* width = args[0]; width != nullptr && width->is_string()) {
    indention = width->view_text();
  } else if (width != nullptr) {
    ASSIGN_OR_RETURN(const int64_t blanks, IntegerArgument(width, 4, "width"));
    RETURN_IF_ERROR(runtime.Reserve(static_cast<size_t>(std::max<int64_t>(blanks, 0))));
    indention.assign(static_cast<size_t>(std::max<int64_t>(blanks, 0)), ' ');
  }
  if (input.safe)
    indention = args[0] != nullptr && args[0]->safe ? indention : EscapeHtml(indention);
  const bool blank = args.flag(2);
  // A newline of its own, so that the last line break shows as an empty line.
  const std::string text = std::string(input.view_text()) + "\n";
  const std::vector<std::string_view> lines = TextLines(text, false);
  RETURN_IF_ERROR(runtime.Charge(static_cast<int64_t>(lines.size())));
  RETURN_IF_ERROR(runtime.Reserve(input.size + indention.size() * lines.size()));
  std::string out = args.flag(1) ? indention : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += "\n";
    if (i > 0 && (blank || !lines[i].empty())) out += indention;
    out += lines[i];
  }
  Value result = runtime.NewString(out);
  result.safe = input.safe;
  return result;
}

ValueOr Center(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const Value soft, Soft(runtime, input));
  ASSIGN_OR_RETURN(const int64_t width, IntegerArgument(args[0], 80, "width"));
  return PadText(runtime, soft, width, " ", Side::kBoth);
}

ValueOr Truncate(Runtime& runtime, const Value& input, const Bound& args) {
  const std::optional<size_t> length = Length(input);
  if (!length.has_value()) {
    return InvalidArgument("truncate needs a str, not %s", TypeName(input));
  }
  RETURN_IF_ERROR(runtime.ChargeBytes(input.size));
  ASSIGN_OR_RETURN(const int64_t limit, IntegerArgument(args[0], 255, "length"));
  ASSIGN_OR_RETURN(const int64_t leeway, IntegerArgument(args.given(3), 5, "leeway"));
  const std::string_view end =
      args[2] != nullptr && args[2]->is_string() ? args[2]->view_text() : "...";
  const int64_t room = limit - static_cast<int64_t>(CodePoints(end));
  if (room < 0) return InvalidArgument("truncate: the length is less than that of its end mark");
  if (leeway < 0) return InvalidArgument("truncate: leeway is negative");
  int64_t most = 0;
  if (__builtin_add_overflow(limit, leeway, &most)) most = INT64_MAX;
  if (static_cast<int64_t>(*length) <= most) return input;
  if (!input.is_string()) {
    return InvalidArgument("truncate needs a str, not %s", TypeName(input));
  }
  std::string_view kept = input.view_text();
  kept = kept.substr(0, OffsetOf(kept, static_cast<size_t>(room)));
  if (!args.flag(1)) kept = kept.substr(0, kept.rfind(' '));
  Value result = runtime.NewString(std::string(kept) + std::string(end));
  result.safe = input.safe;
  return result;
}

ValueOr Wordcount(Runtime& runtime, const Value& input, const Bound&) {
  ASSIGN_OR_RETURN(const Value soft, Soft(runtime, input));
  RETURN_IF_ERROR(runtime.ChargeBytes(soft.size * 4));
  int64_t count = 0;
  bool inside = false;
  for (size_t i = 0; i < soft.size;) {
    const char32_t c = Decode(soft.view_text(), &i);
    const bool word = c == '_' || IsAlphabetic(c) || IsNumeric(c);
    count += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::Integer(count);
}

ValueOr Format(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const Value soft, Soft(runtime, input));
  const Arguments& all = *args.all;
  if (!all.positional.empty() && !all.named.empty()) {
    return InvalidArgument("format takes positional or keyword arguments, not both");
  }
  if (all.named.empty()) return PercentFormat(runtime, soft, runtime.NewTuple(all.positional));
  std::vector<Entry> entries;
  for (const auto& [name, value] : all.named) entries.push_back({Value::String(name), value});
  return PercentFormat(runtime, soft, runtime.NewDict(entries));
}

ValueOr StringOf(Runtime& runtime, const Value& input, const Bound&) {
  return Soft(runtime, input);
}

ValueOr Safe(Runtime& runtime, const Value& input, const Bound&) {
  ASSIGN_OR_RETURN(Value soft, Soft(runtime, input));
  soft.safe = true;
  return soft;
}

ValueOr Escape(Runtime& runtime, const Value& input, const Bound&) {
  ASSIGN_OR_RETURN(Value soft, Soft(runtime, input));
  if (soft.safe) return soft;
  RETURN_IF_ERROR(runtime.ChargeBytes(soft.size));
  soft = runtime.NewString(EscapeHtml(soft.view_text()));
  soft.safe = true;
  return soft;
}

ValueOr ToJson(Runtime& runtime, const Value& input, const Bound& args) {
  JsonStyle style;
  style.ascii = args.flag(0);
  style.sort_keys = args.flag(3);
  if (const Value* indent = args.given(1)) {
    if (indent->is_string()) {
      style.indent = std::string(indent->view_text());
    } else {
      ASSIGN_OR_RETURN(const int64_t blanks, IntegerArgument(indent, 0, "indent"));
      if (blanks > 1000) return InvalidArgument("tojson: an indent of %d, more than 1000", blanks);
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(blanks, 0)), ' ');
    }
    style.item_separator = ",";
  }
  if (const Value* separators = args.given(2)) {
    ASSIGN_OR_RETURN(const std::span<const Value> pair, Items(runtime, *separators));
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      return InvalidArgument("tojson: separators must be two strings");
    }
    style.item_separator = std::string(pair[0].view_text());
    style.key_separator = std::string(pair[1].view_text());
  }
  std::string out;
  RETURN_IF_ERROR(AppendJson(runtime, input, style, &out));
  RETURN_IF_ERROR(runtime.Reserve(out.size()));
  return runtime.NewString(out);
}

// ---- numbers ----

ValueOr Absolute(Runtime&, const Value& input, const Bound&) {
  if (input.is_undefined()) return UndefinedError(input);
  if (input.is_integral()) {
    return input.as_integer() < 0 ? Negate(input) : Value::Integer(input.as_integer());
  }
  if (input.is(Kind::kReal)) return Value::Real(std::abs(input.real));
  return InvalidArgument("bad operand type for abs(): '%s'", TypeName(input));
}

// int(text, base): blanks around, a sign, a prefix, single underscores between digits.
std::optional<int64_t> ReadInteger(std::string_view text, int64_t base) {
  text = StripBlanks(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int64_t prefix = 0;
  if (text.size() > 2 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    prefix = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 0));
  }
  const bool skipped = prefix != 0 && (base == prefix || base == 0);
  if (skipped) text.remove_prefix(2);
  if (base == 0) {
    base = skipped ? prefix : 10;
    if (!skipped && text.size() > 1 && text[0] == '0' &&
        text.find_first_not_of("0_") != text.npos) {
      return std::nullopt;
    }
  }
  int64_t value = 0;
  bool digit_before = skipped;  // "0x_1" is allowed
  for (const char c : text) {
    if (c == '_') {
      if (!digit_before) return std::nullopt;
      digit_before = false;
      continue;
    }
    const char low = static_cast<char>(c | 0x20);
    const int64_t digit =
        c >= '0' && c <= '9' ? c - '0' : (low >= 'a' && low <= 'z' ? low - 'a' + 10 : 99);
    if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
        __builtin_sub_overflow(value, digit, &value)) {  // downwards: INT64_MIN fits
      return std::nullopt;
    }
    digit_before = true;
  }
  if (!digit_before || text.empty()) return std::nullopt;
  if (!negative && __builtin_sub_overflow(int64_t{0}, value, &value)) return std::nullopt;
  return value;
}

// float(text) of Python: "inf", "nan", underscores between digits, blanks around.
std::optional<double> ReadReal(std::string_view text) {
  text = StripBlanks(text);
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '9';
    };
    if (text[i] != '_') {
      plain.push_back(text[i]);
    } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
      return std::nullopt;
    }
  }
  std::string_view unsigned_part = plain;
  if (!plain.empty() && (plain[0] == '-' || plain[0] == '+')) unsigned_part.remove_prefix(1);
  const double sign = !plain.empty() && plain[0] == '-' ? -1 : 1;
  const std::string word = ToLowerAscii(unsigned_part);
  if (word == "inf" || word == "infinity") return sign * INFINITY;
  if (word == "nan") return NAN;
  if (word.empty() || word.find_first_not_of("0123456789.e+-") != word.npos) return std::nullopt;
  // A decimal number too large for a double is infinity in Python; ParseDouble refuses it.
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (end != word.c_str() + word.size()) return std::nullopt;
  return sign * value;
}

ValueOr TruncatedReal(double value) {
  if (std::isnan(value)) return InvalidArgument("cannot convert float NaN to integer");
  if (std::abs(value) >= 9.2e18) return InvalidArgument("an integer outside 64 bits");
  return Value::Integer(static_cast<int64_t>(value));
}

ValueOr ToInteger(Runtime& runtime, const Value& input, const Bound& args) {
  if (input.is_undefined()) return UndefinedError(input);
  if (input.is_integral()) return Value::Integer(input.as_integer());
  if (input.is(Kind::kBigInteger)) return input;
  const Value standard = args[0] != nullptr ? *args[0] : Value::Integer(0);
  if (input.is(Kind::kReal)) return std::isnan(input.real) ? standard : TruncatedReal(input.real);
  if (!input.is_string()) return standard;
  RETURN_IF_ERROR(runtime.ChargeBytes(input.size));
  ASSIGN_OR_RETURN(const int64_t base, IntegerArgument(args[1], 10, "base"));
  if (base != 0 && (base < 2 || base > 36)) return standard;
  if (const std::optional<int64_t> value = ReadInteger(input.view_text(), base)) {
    return Value::Integer(*value);
  }
  const std::optional<double> real = ReadReal(input.view_text());
  if (!real.has_value() || std::isnan(*real)) return standard;
  return TruncatedReal(*real);
}

ValueOr ToReal(Runtime& runtime, const Value& input, const Bound& args) {
  if (input.is_undefined()) return UndefinedError(input);
  if (input.is_number()) return Value::Real(input.as_real());
  RETURN_IF_ERROR(runtime.ChargeBytes(input.size));
  std::optional<double> real;
  if (input.is_string() || input.is(Kind::kBigInteger)) real = ReadReal(input.view_text());
  if (real.has_value()) return Value::Real(*real);
  return args[0] != nullptr ? *args[0] : Value::Real(0);
}

ValueOr RoundInteger(int64_t value, int64_t precision) {
  if (precision >= 0) return Value::Integer(value);
  if (precision < -18) return Value::Integer(0);
  int64_t unit = 1;
  for (int64_t i = 0; i < -precision; ++i) unit *= 10;
  const int64_t rest = ((value % unit) + unit) % unit;
  const bool up = rest > unit - rest || (rest == unit - rest && ((value - rest) / unit) % 2 != 0);
  int64_t result = 0;
  if (__builtin_sub_overflow(value, rest, &result) ||
      __builtin_add_overflow(result, up ? unit : 0, &result)) {
    return InvalidArgument("an integer outside 64 bits");
  }
  return Value::Integer(result);
}

// The decimal nearest to the exact binary value, ties to even, as Python's round.
double RoundReal(double value, int64_t precision) {
  if (!std::isfinite(value) || precision > 400) return value;
  if (precision >= 0) {
    return std::strtod(absl::StrFormat("%.*f", static_cast<int>(precision), value).c_str(),
                       nullptr);
  }
  if (precision < -308) return std::copysign(0.0, value);
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(value / unit) * unit;
}

ValueOr Round(Runtime&, const Value& input, const Bound& args) {
  const std::string_view method =
      args[1] != nullptr && args[1]->is_string() ? args[1]->view_text() : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    return InvalidArgument("round: method must be common, ceil or floor");
  }
  ASSIGN_OR_RETURN(const int64_t precision, IntegerArgument(args[0], 0, "precision"));
  if (input.is_undefined()) return UndefinedError(input);
  if (!input.is_number()) {
    return InvalidArgument("type %s doesn't define a rounding", TypeName(input));
  }
  if (method == "common") {
    if (input.is_integral()) return RoundInteger(input.as_integer(), precision);
    return Value::Real(RoundReal(input.real, precision));
  }
  if (std::abs(precision) > 300) return InvalidArgument("round: precision out of range");
  const double unit = std::pow(10.0, static_cast<double>(std::abs(precision)));
  const double scaled = precision >= 0 ? input.as_real() * unit : input.as_real() / unit;
  if (!std::isfinite(scaled)) return InvalidArgument("round: the value is not finite");
  const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return Value::Real(precision >= 0 ? whole / unit : whole * unit + 0.0);
}

ValueOr Sum(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  Value sum = args[1] != nullptr ? *args[1] : Value::Integer(0);
  if (sum.is_string()) return InvalidArgument("sum() can't sum strings");
  for (Value item : items) {
    RETURN_IF_ERROR(runtime.Charge(1));
    if (args.given(0) != nullptr) {
      ASSIGN_OR_RETURN(item, GetPath(runtime, item, *args[0]));
    }
    ASSIGN_OR_RETURN(sum, Arithmetic(runtime, Operator::kAdd, sum, item));
  }
  return sum;
}

// ---- sequences ----

ValueOr LengthOf(Runtime& runtime, const Value& input, const Bound&) {
  RETURN_IF_ERROR(runtime.ChargeBytes(input.is_string() ? input.size : 0));
  const std::optional<size_t> length = Length(input);
  if (!length.has_value())
    return InvalidArgument("object of type '%s' has no len()", TypeName(input));
  return Value::Integer(static_cast<int64_t>(*length));
}

ValueOr First(Runtime& runtime, const Value& input, const Bound&) {
  if (Generator* generator = input.is(Kind::kGenerator) ? input.generator : nullptr) {
    if (!generator->failure.empty()) return InvalidArgument("%s", generator->failure);
    if (generator->next == generator->items.size()) return Value::Undefined("first item");
    return generator->items[generator->next++];
  }
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  return items.empty() ? Value::Undefined("first item") : items.front();
}

ValueOr Last(Runtime& runtime, const Value& input, const Bound&) {
  if (input.is(Kind::kGenerator) || input.is(Kind::kLoop)) {
    return InvalidArgument("'%s' object is not reversible; |list comes first", TypeName(input));
  }
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  return items.empty() ? Value::Undefined("last item") : items.back();
}

ValueOr ListOf(Runtime& runtime, const Value& input, const Bound&) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  return Value::List(items);
}

ValueOr Join(Runtime& runtime, const Value& input, const Bound& args) {
  std::string_view separator;
  if (args[0] != nullptr) {
    ASSIGN_OR_RETURN(separator, TextOf(runtime, *args[0]));
  }
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    RETURN_IF_ERROR(runtime.Charge(1));
    RETURN_IF_ERROR(runtime.CheckOutput(out.size()));
    if (i > 0) out += separator;
    Value item = items[i];
    if (args.given(1) != nullptr) {
      ASSIGN_OR_RETURN(item, GetPath(runtime, item, *args[1]));
    }
    RETURN_IF_ERROR(AppendText(runtime, item, &out));
  }
  RETURN_IF_ERROR(runtime.Reserve(out.size()));
  return runtime.NewString(out);
}

ValueOr ItemsOf(Runtime& runtime, const Value& input, const Bound&) {
  if (input.is_undefined()) return runtime.NewGenerator(std::span<const Value>());
  if (!input.is(Kind::kDict)) {
    return runtime.NewGenerator(
        ValuesOr(InvalidArgument("can only get item pairs from a mapping")));
  }
  Value view = Value::Make(Kind::kView);
  view.view = runtime.arena().New(ViewObject{ViewObject::Side::kItems, input});
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, view));
  return runtime.NewGenerator(items);
}

ValueOr Reverse(Runtime& runtime, const Value& input, const Bound&) {
  if (input.is_string()) {
    return Slice(runtime, input, Value::None(), Value::None(), Value::Integer(-1));
  }
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  const std::vector<Value> reversed(items.rbegin(), items.rend());
  // What Python can walk backwards gives an iterator, anything else a list.
  if (input.is(Kind::kGenerator)) return runtime.NewList(reversed);
  return runtime.NewGenerator(std::span<const Value>(reversed));
}

ValuesOr UniqueAll(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  std::vector<Entry> seen;
  std::vector<Value> kept;
  for (const Value& item : items) {
    Value key = item;
    if (args.given(1) != nullptr) {
      ASSIGN_OR_RETURN(key, GetPath(runtime, item, *args[1]));
    }
    ASSIGN_OR_RETURN(key, SortKey(runtime, key, args.flag(0)));
    const size_t before = seen.size();
    RETURN_IF_ERROR(PutEntry(runtime, key, Value(), &seen));
    if (seen.size() > before) kept.push_back(item);
  }
  return kept;
}
ValueOr Unique(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(UniqueAll(runtime, input, args));
}

struct Keyed {
  Value key;
  Value item;
};

// Sorts by key, stably; with `reverse`, equal items keep their order too.
absl::Status SortKeyed(Runtime& runtime, bool reverse, std::vector<Keyed>* keyed) {
  absl::Status failure;
  std::stable_sort(keyed->begin(), keyed->end(), [&](const Keyed& a, const Keyed& b) {
    if (!failure.ok()) return false;
    const absl::StatusOr<bool> less =
        reverse ? Less(runtime, b.key, a.key) : Less(runtime, a.key, b.key);
    if (!less.ok()) failure = less.status();
    return less.ok() && *less;
  });
  return failure;
}

ValueOr ItemsInOrder(Runtime& runtime, const std::vector<Keyed>& keyed) {
  std::vector<Value> items;
  for (const Keyed& one : keyed) items.push_back(one.item);
  return runtime.NewList(items);
}

ValueOr Sort(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  std::vector<Value> paths = {args.given(2) != nullptr ? *args[2] : Value::None()};
  if (paths[0].is_string()) {
    const std::vector<std::string_view> names = Split(paths[0].view_text(), ',');
    paths.clear();
    for (const std::string_view name : names) paths.push_back(Value::String(name));
  }
  std::vector<Keyed> keyed;
  for (const Value& item : items) {
    std::vector<Value> keys;
    for (const Value& path : paths) {
      ASSIGN_OR_RETURN(const Value key, GetPath(runtime, item, path));
      ASSIGN_OR_RETURN(keys.emplace_back(), SortKey(runtime, key, args.flag(1)));
    }
    keyed.push_back({runtime.NewList(keys), item});
  }
  RETURN_IF_ERROR(SortKeyed(runtime, args.flag(0), &keyed));
  return ItemsInOrder(runtime, keyed);
}

ValueOr Dictsort(Runtime& runtime, const Value& input, const Bound& args) {
  if (!input.is(Kind::kDict)) {
    if (input.is_undefined()) return UndefinedError(input);
    return InvalidArgument("dictsort needs a dict, not %s", TypeName(input));
  }
  const std::string_view by =
      args[1] != nullptr && args[1]->is_string() ? args[1]->view_text() : "key";
  if (by != "key" && by != "value") {
    return InvalidArgument("dictsort: you can only sort by either \"key\" or \"value\"");
  }
  std::vector<Keyed> keyed;
  for (const Entry& entry : DictEntries(input)) {
    ASSIGN_OR_RETURN(const Value key,
                     SortKey(runtime, by == "key" ? entry.key : entry.value, args.flag(0)));
    const std::array<Value, 2> pair = {entry.key, entry.value};
    keyed.push_back({key, runtime.NewTuple(pair)});
  }
  RETURN_IF_ERROR(SortKeyed(runtime, args.flag(2), &keyed));
  return ItemsInOrder(runtime, keyed);
}

ValueOr Extreme(Runtime& runtime, const Value& input, const Bound& args, bool largest) {
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  if (items.empty()) return Value::Undefined("aggregated item");
  std::optional<Keyed> best;
  for (const Value& item : items) {
    Value key = item;
    if (args.given(1) != nullptr) {
      ASSIGN_OR_RETURN(key, GetPath(runtime, item, *args[1]));
    }
    ASSIGN_OR_RETURN(key, SortKey(runtime, key, args.flag(0)));
    bool better = !best.has_value();
    if (!better) {
      ASSIGN_OR_RETURN(better,
                       largest ? Less(runtime, best->key, key) : Less(runtime, key, best->key));
    }
    if (better) best = Keyed{key, item};
  }
  return best->item;
}
ValueOr Min(Runtime& runtime, const Value& input, const Bound& args) {
  return Extreme(runtime, input, args, false);
}
ValueOr Max(Runtime& runtime, const Value& input, const Bound& args) {
  return Extreme(runtime, input, args, true);
}

ValuesOr BatchAll(Runtime& runtime, const Value& input, const Bound& args) {
  ASSIGN_OR_RETURN(const int64_t size, IntegerArgument(args[0], 0, "linecount"));
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  if (size < 1) return InvalidArgument("batch: a linecount of %d", size);
  std::vector<Value> batches;
  for (size_t i = 0; i < items.size(); i += static_cast<size_t>(size)) {
    const std::span<const Value> part =
        items.subspan(i, std::min(static_cast<size_t>(size), items.size() - i));
    std::vector<Value> batch(part.begin(), part.end());
    if (args.given(1) != nullptr) {
      RETURN_IF_ERROR(runtime.Reserve(static_cast<size_t>(size) * sizeof(Value)));
      RETURN_IF_ERROR(runtime.Charge(size / 16));
      batch.resize(static_cast<size_t>(size), *args[1]);
    }
    batches.push_back(runtime.NewList(batch));
  }
  return batches;
}
ValueOr Batch(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(BatchAll(runtime, input, args));
}

// ---- mapping and choosing ----

ValueOr Default(Runtime&, const Value& input, const Bound& args) {
  const bool replace = input.is_undefined() || (args.flag(1) && !Truth(input));
  if (!replace) return input;
  return args[0] != nullptr ? *args[0] : Value::String("");
}

ValueOr Attribute(Runtime& runtime, const Value& input, const Bound& args) {
  if (!args[0]->is_string()) return InvalidArgument("attr needs a str, not %s", TypeName(*args[0]));
  if (input.is(Kind::kDict)) {
    ASSIGN_OR_RETURN(const std::optional<Value> method,
                     FindMethod(runtime, input, args[0]->view_text()));
    return method.value_or(Value::Undefined(args[0]->view_text()));
  }
  return GetAttribute(runtime, input, args[0]->view_text());
}

// The arguments that `skip` positional ones leave.
Arguments Rest(const Arguments& all, size_t skip) {
  Arguments rest;
  rest.positional.assign(all.positional.begin() + static_cast<ptrdiff_t>(skip),
                         all.positional.end());
  rest.named = all.named;
  return rest;
}

ValuesOr MapAttribute(Runtime& runtime, std::span<const Value> items, const Arguments& all) {
  const Value* path = nullptr;
  const Value* missing = nullptr;
  for (const auto& [name, value] : all.named) {
    if (name == "attribute") {
      path = &value;
    } else if (name == "default") {
      missing = value.is(Kind::kNone) ? nullptr : &value;
    } else {
      return InvalidArgument("map: unexpected keyword argument '%s'", name);
    }
  }
  if (path == nullptr) return InvalidArgument("map requires a filter argument");
  std::vector<Value> mapped;
  for (const Value& item : items) {
    ASSIGN_OR_RETURN(mapped.emplace_back(), GetPath(runtime, item, *path, missing));
  }
  return mapped;
}

ValuesOr MapAll(Runtime& runtime, const Value& input, const Bound& args) {
  if (!Truth(input)) return std::vector<Value>();
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  const Arguments& all = *args.all;
  if (all.positional.empty()) return MapAttribute(runtime, items, all);
  if (!all.positional[0].is_string()) return InvalidArgument("map: a filter's name must be a str");
  const FunctionSpec* filter = FindFilter(all.positional[0].view_text());
  if (filter == nullptr) return NoSuchFilter(all.positional[0].view_text());
  const Arguments rest = Rest(all, 1);
  std::vector<Value> mapped;
  for (const Value& item : items) {
    RETURN_IF_ERROR(runtime.Charge(1));
    ASSIGN_OR_RETURN(mapped.emplace_back(), Call(runtime, *filter, item, rest));
  }
  return mapped;
}
ValueOr Map(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(MapAll(runtime, input, args));
}

enum class Subject { kItem, kAttribute };

ValuesOr Choose(Runtime& runtime, const Value& input, const Bound& args, Subject subject,
                bool wanted) {
  if (!Truth(input)) return std::vector<Value>();
  ASSIGN_OR_RETURN(const std::span<const Value> items, Items(runtime, input));
  const Arguments& all = *args.all;
  const size_t skip = subject == Subject::kAttribute ? 1 : 0;
  if (all.positional.size() < skip) return InvalidArgument("missing parameter for attribute name");
  const FunctionSpec* test = nullptr;
  Arguments rest;
  if (all.positional.size() > skip) {
    const Value& name = all.positional[skip];
    if (!name.is_string()) return InvalidArgument("a test's name must be a str");
    test = FindTest(name.view_text());
    if (test == nullptr) return NoSuchTest(name.view_text());
    rest = Rest(all, skip + 1);
  }
  std::vector<Value> chosen;
  for (const Value& item : items) {
    RETURN_IF_ERROR(runtime.Charge(1));
    Value tested = item;
    if (skip == 1) {
      ASSIGN_OR_RETURN(tested, GetPath(runtime, item, all.positional[0]));
    }
    if (test != nullptr) {
      ASSIGN_OR_RETURN(tested, Call(runtime, *test, tested, rest));
    }
    if (Truth(tested) == wanted) chosen.push_back(item);
  }
  return chosen;
}

ValueOr Select(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(Choose(runtime, input, args, Subject::kItem, true));
}
ValueOr Reject(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(Choose(runtime, input, args, Subject::kItem, false));
}
ValueOr Selectattr(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(Choose(runtime, input, args, Subject::kAttribute, true));
}
ValueOr Rejectattr(Runtime& runtime, const Value& input, const Bound& args) {
  return runtime.NewGenerator(Choose(runtime, input, args, Subject::kAttribute, false));
}

constexpr FunctionSpec kFilters[] = {
    {"abs", "", 0, Absolute},
    {"attr", "name", 1, Attribute},
    {"batch", "linecount fill_with", 1, Batch},
    {"capitalize", "", 0, Capitalize},
    {"center", "width", 0, Center},
    {"count", "", 0, LengthOf},
    {"d", "default_value boolean", 0, Default},
    {"default", "default_value boolean", 0, Default},
    {"dictsort", "case_sensitive by reverse", 0, Dictsort},
    {"e", "", 0, Escape},
    {"escape", "", 0, Escape},
    {"first", "", 0, First},
    {"float", "default", 0, ToReal},
    {"format", "*", 0, Format},
    {"indent", "width first blank", 0, Indent},
    {"int", "default base", 0, ToInteger},
    {"items", "", 0, ItemsOf},
    {"join", "d attribute", 0, Join},
    {"last", "", 0, Last},
    {"length", "", 0, LengthOf},
    {"list", "", 0, ListOf},
    {"lower", "", 0, Lower},
    {"map", "*", 0, Map},
    {"max", "case_sensitive attribute", 0, Max},
    {"min", "case_sensitive attribute", 0, Min},
    {"reject", "*", 0, Reject},
    {"rejectattr", "*", 0, Rejectattr},
    {"replace", "old new count", 2, Replace},
    {"reverse", "", 0, Reverse},
    {"round", "precision method", 0, Round},
    {"safe", "", 0, Safe},
    {"select", "*", 0, Select},
    {"selectattr", "*", 0, Selectattr},
    {"sort", "reverse case_sensitive attribute", 0, Sort},
    {"string", "", 0, StringOf},
    {"sum", "attribute start", 0, Sum},
    {"title", "", 0, Title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, ToJson},
    {"trim", "chars", 0, Trim},
    {"truncate", "length killwords end leeway", 0, Truncate},
    {"unique", "case_sensitive attribute", 0, Unique},
    {"upper", "", 0, Upper},
    {"wordcount", "", 0, Wordcount},
};

constexpr std::string_view kUnsupported[] = {
    "filesizeformat", "forceescape", "groupby", "pprint",   "random",  "slice",
    "striptags",      "urlencode",   "urlize",  "wordwrap", "xmlattr",
};

}  // namespace

std::span<const FunctionSpec> FilterTable() { return kFilters; }

const FunctionSpec* FindFilter(std::string_view name) {
  for (const FunctionSpec& spec : kFilters) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

absl::Status NoSuchFilter(std::string_view name) {
  for (const std::string_view known : kUnsupported) {
    if (known == name) return InvalidArgument("the filter '%s' is not supported", name);
  }
  std::vector<std::string> names;
  for (const FunctionSpec& spec : kFilters) names.emplace_back(spec.name);
  return InvalidArgument("there is no filter '%s'%s", name, DidYouMean(name, names));
}

}  // namespace assay::jinja
