// "%s" % values and "{}".format(values): the conversions of Python that templates use.
#include <algorithm>
#include <cmath>

#include "harness/status.h"
#include "harness/template_builtins.h"
#include "harness/template_text.h"
#include "harness/template_value.h"
#include "harness/text.h"

namespace assay::jinja {
namespace {

constexpr int64_t kMaxWidth = 100'000;  // and precision; Python would take the memory

struct Conversion {
  bool left = false, zero = false, alternate = false;
  char sign = '-';  // '+', ' ' or '-'
  bool sign_given = false;
  std::string fill = " ";  // one code point
  char align = '\0';       // '<', '>', '^', '=' or none
  char group = '\0';       // ',' or '_'
  int64_t width = 0;
  int64_t precision = -1;
  char type = '\0';
};

std::string SignOf(bool negative, char sign) {
  if (negative) return "-";
  return sign == '-' ? "" : std::string(1, sign);
}

std::string Grouped(const std::string& digits, char group) {
  if (group == '\0') return digits;
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % 3 == 0) out.push_back(group);
    out.push_back(digits[i]);
  }
  return out + digits.substr(whole);
}

std::string DigitsOf(uint64_t magnitude, char type) {
  if (type == 'x') return absl::StrFormat("%x", magnitude);
  if (type == 'X') return absl::StrFormat("%X", magnitude);
  if (type == 'o') return absl::StrFormat("%o", magnitude);
  if (type != 'b') return std::to_string(magnitude);
  std::string bits;
  do {
    bits.insert(bits.begin(), static_cast<char>('0' + (magnitude & 1)));
    magnitude >>= 1;
  } while (magnitude != 0);
  return bits;
}

// The magnitude of a real under e, f, g (or E, F, G), as C's printf writes it, which is as Python.
std::string RealDigits(double value, const Conversion& conversion) {
  const double magnitude = std::abs(value);
  const bool capital = conversion.type == 'E' || conversion.type == 'F' || conversion.type == 'G';
  if (std::isnan(value)) return capital ? "NAN" : "nan";
  if (std::isinf(value)) return capital ? "INF" : "inf";
  const int precision = static_cast<int>(conversion.precision < 0 ? 6 : conversion.precision);
  const char format[] = {'%',
                         conversion.alternate ? '#' : '.',
                         conversion.alternate ? '.' : '*',
                         conversion.alternate ? '*' : conversion.type,
                         conversion.alternate ? conversion.type : '\0',
                         '\0'};
  const int length = std::snprintf(nullptr, 0, format, precision, magnitude);
  std::string out(static_cast<size_t>(length) + 1, '\0');
  std::snprintf(out.data(), out.size(), format, precision, magnitude);
  out.pop_back();
  return out;
}

size_t Missing(std::string_view text, int64_t width) {
  const int64_t length = static_cast<int64_t>(CodePoints(text));
  return width > length ? static_cast<size_t>(width - length) : 0;
}

// sign + prefix + digits, filled to the width; zeros go between the prefix and the digits.
std::string Laid(const std::string& sign, const std::string& digits, const Conversion& conversion,
                 char standard_align) {
  const size_t missing = Missing(sign + digits, conversion.width);
  const auto fill = [&](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += conversion.fill;
    return text;
  };
  switch (conversion.align != '\0' ? conversion.align : standard_align) {
    case '<':
      return sign + digits + fill(missing);
    case '^':
      return fill(missing / 2) + sign + digits + fill(missing - missing / 2);
    case '=':
      return sign + fill(missing) + digits;
    default:
      return fill(missing) + sign + digits;
  }
}

absl::StatusOr<int64_t> ParseWidth(std::string_view digits) {
  const std::optional<int64_t> width = ParseInt(digits);
  if (!width.has_value() || *width > kMaxWidth) {
    return InvalidArgument("a format width of %s, more than %d", digits, kMaxWidth);
  }
  return *width;
}

// ---- printf style ----

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& values)
      : runtime_(runtime), format_(format.view_text()), safe_(format.safe), values_(values) {}

  absl::StatusOr<std::string> Format() {
    while (at_ < format_.size()) {
      const size_t sign = format_.find('%', at_);
      out_ += format_.substr(at_, sign - at_);
      if (sign == format_.npos) break;
      at_ = sign + 1;
      RETURN_IF_ERROR(runtime_.Charge(1));
      RETURN_IF_ERROR(runtime_.CheckOutput(out_.size()));
      RETURN_IF_ERROR(FormatOne());
    }
    // A dict (and, in Python, anything that can be subscripted but a tuple or str) may stay unused.
    const bool mapping = values_.is(Kind::kDict) || values_.is(Kind::kList) ||
                         values_.is(Kind::kRange) || values_.is_undefined();
    if (!mapping && used_ < Given()) {
      return InvalidArgument("not all arguments converted during string formatting");
    }
    return out_;
  }

 private:
  size_t Given() const { return values_.is(Kind::kTuple) ? values_.size : 1; }

  absl::StatusOr<Value> Next() {
    if (used_ >= Given()) return InvalidArgument("not enough arguments for format string");
    const size_t i = used_++;
    return values_.is(Kind::kTuple) ? values_.items[i] : values_;
  }

  bool Take(char c) {
    if (at_ >= format_.size() || format_[at_] != c) return false;
    ++at_;
    return true;
  }

  absl::StatusOr<std::optional<Value>> TakeMappingKey() {
    if (!Take('(')) return std::nullopt;
    const size_t end = format_.find(')', at_);
    if (end == format_.npos) return InvalidArgument("incomplete format key");
    const std::string_view key = format_.substr(at_, end - at_);
    at_ = end + 1;
    if (!values_.is(Kind::kDict)) return InvalidArgument("format requires a mapping");
    const std::optional<Value> found = DictFindName(values_, key);
    if (!found.has_value()) return InvalidArgument("format key '%s' is missing", key);
    return found;
  }

  void TakeFlags(Conversion* conversion) {
    for (; at_ < format_.size(); ++at_) {
      const char c = format_[at_];
      if (c == '-') {
        conversion->left = true;
      } else if (c == '0') {
        conversion->zero = true;
      } else if (c == '#') {
        conversion->alternate = true;
      } else if (c == '+' || (c == ' ' && conversion->sign != '+')) {
        conversion->sign = c;
      } else if (c != ' ') {
        return;
      }
    }
  }

  absl::StatusOr<int64_t> TakeNumber(int64_t standard) {
    if (Take('*')) {
      ASSIGN_OR_RETURN(const Value value, Next());
      if (!value.is_integral()) return InvalidArgument("* wants int");
      if (std::abs(value.as_integer()) > kMaxWidth) {
        return ParseWidth(std::to_string(value.as_integer()));
      }
      return value.as_integer();
    }
    const size_t begin = at_;
    while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9') ++at_;
    if (at_ == begin) return standard;
    return ParseWidth(format_.substr(begin, at_ - begin));
  }

  absl::Status FormatOne() {
    ASSIGN_OR_RETURN(const std::optional<Value> named, TakeMappingKey());
    Conversion conversion;
    TakeFlags(&conversion);
    ASSIGN_OR_RETURN(conversion.width, TakeNumber(0));
    if (conversion.width < 0) {
      conversion.left = true;
      conversion.width = -conversion.width;
    }
    if (Take('.')) {
      ASSIGN_OR_RETURN(conversion.precision, TakeNumber(0));
    }
    if (!Take('h') && !Take('l')) Take('L');
    if (at_ >= format_.size()) return InvalidArgument("incomplete format");
    conversion.type = format_[at_++];
    if (conversion.type == '%') {
      out_ += "%";
      return absl::OkStatus();
    }
    Value value;
    if (named.has_value()) {
      value = *named;
    } else {
      ASSIGN_OR_RETURN(value, Next());
    }
    return Append(value, conversion);
  }

  absl::Status Append(const Value& value, Conversion conversion) {
    switch (conversion.type) {
      case 's':
      case 'r':
      case 'a':
        return AppendString(value, conversion);
      case 'c':
        return AppendCharacter(value, conversion);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return AppendInteger(value, conversion);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return AppendReal(value, conversion);
      default:
        return InvalidArgument("unsupported format character '%c'", conversion.type);
    }
  }

  void Lay(const std::string& sign, const std::string& text, Conversion conversion, bool number) {
    if (conversion.left) {
      conversion.align = '<';
    } else if (conversion.zero && number) {
      conversion.align = '=';
      conversion.fill = "0";
    }
    out_ += Laid(sign, text, conversion, '>');
  }

  absl::Status AppendString(const Value& value, const Conversion& conversion) {
    std::string text;
    if (conversion.type == 's') {
      RETURN_IF_ERROR(AppendText(runtime_, value, &text));
    } else {
      RETURN_IF_ERROR(AppendRepr(runtime_, value, &text));
    }
    if (conversion.type == 'a' && !IsAscii(text)) return InvalidArgument("%%a is not supported");
    if (safe_ && !value.safe) text = EscapeHtml(text);
    if (conversion.precision >= 0) {
      text.resize(OffsetOf(text, static_cast<size_t>(conversion.precision)));
    }
    Lay("", text, conversion, false);
    return absl::OkStatus();
  }

  absl::Status AppendCharacter(const Value& value, const Conversion& conversion) {
    std::string text;
    if (value.is_string() && CodePoints(value.view_text()) == 1) {
      text = value.view_text();
    } else if (value.is_integral() && value.as_integer() >= 0 && value.as_integer() < 0x110000 &&
               (value.as_integer() & ~int64_t{0x7FF}) != 0xD800) {
      AppendUtf8(static_cast<char32_t>(value.as_integer()), &text);
    } else {
      return InvalidArgument("%%c requires int or char");
    }
    Lay("", text, conversion, false);
    return absl::OkStatus();
  }

  absl::Status AppendInteger(const Value& value, const Conversion& conversion) {
    int64_t integer = 0;
    const bool decimal = std::string_view("diu").find(conversion.type) != std::string_view::npos;
    if (value.is_undefined()) return UndefinedError(value);
    if (value.is_integral()) {
      integer = value.as_integer();
    } else if (value.is(Kind::kReal) && decimal && std::abs(value.real) < 9e18) {
      integer = static_cast<int64_t>(value.real);
    } else {
      return InvalidArgument("%%%c format: a number is required, not %s", conversion.type,
                             TypeName(value));
    }
    const uint64_t magnitude =
        integer < 0 ? ~static_cast<uint64_t>(integer) + 1 : static_cast<uint64_t>(integer);
    std::string digits = DigitsOf(magnitude, conversion.type);
    if (conversion.precision > static_cast<int64_t>(digits.size())) {
      digits.insert(0, static_cast<size_t>(conversion.precision) - digits.size(), '0');
    }
    std::string sign = SignOf(integer < 0, conversion.sign);
    if (conversion.alternate && !decimal) sign += std::string("0") + conversion.type;
    Lay(sign, digits, conversion, true);
    return absl::OkStatus();
  }

  absl::Status AppendReal(const Value& value, const Conversion& conversion) {
    if (value.is_undefined()) return UndefinedError(value);
    if (!value.is_number()) {
      return InvalidArgument("must be real number, not %s", TypeName(value));
    }
    const double real = value.as_real();
    const bool negative = std::signbit(real) && !std::isnan(real);
    Lay(SignOf(negative, conversion.sign), RealDigits(real, conversion), conversion, true);
    return absl::OkStatus();
  }

  Runtime& runtime_;
  std::string_view format_;
  bool safe_;
  const Value& values_;
  size_t at_ = 0;
  size_t used_ = 0;
  std::string out_;
};

// ---- brace style ----

class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, const Value& format, const Arguments& args)
      : runtime_(runtime), format_(format.view_text()), safe_(format.safe), args_(args) {}

  absl::StatusOr<std::string> Format() {
    for (size_t at = 0; at < format_.size();) {
      const char c = format_[at];
      if (c != '{' && c != '}') {
        out_.push_back(c);
        ++at;
        continue;
      }
      if (at + 1 < format_.size() && format_[at + 1] == c) {
        out_.push_back(c);
        at += 2;
        continue;
      }
      if (c == '}') return InvalidArgument("single '}' encountered in format string");
      const size_t end = format_.find('}', at);
      if (end == format_.npos) return InvalidArgument("expected '}' before end of string");
      const std::string_view field = format_.substr(at + 1, end - at - 1);
      if (field.find('{') != field.npos) {
        return InvalidArgument("str.format: fields within fields are not supported");
      }
      RETURN_IF_ERROR(runtime_.Charge(1));
      RETURN_IF_ERROR(runtime_.CheckOutput(out_.size()));
      RETURN_IF_ERROR(FormatField(field));
      at = end + 1;
    }
    return out_;
  }

 private:
  absl::Status FormatField(std::string_view field) {
    const size_t colon = field.find(':');
    const std::string_view spec = colon == field.npos ? "" : field.substr(colon + 1);
    std::string_view name = field.substr(0, colon);
    char conversion = '\0';
    if (const size_t bang = name.find('!'); bang != name.npos) {
      if (bang + 2 != name.size() || (name[bang + 1] != 'r' && name[bang + 1] != 's')) {
        return InvalidArgument("str.format: unsupported conversion '%s'", name.substr(bang));
      }
      conversion = name[bang + 1];
      name = name.substr(0, bang);
    }
    ASSIGN_OR_RETURN(Value value, Lookup(name));
    if (conversion != '\0') {
      std::string text;
      RETURN_IF_ERROR(conversion == 'r' ? AppendRepr(runtime_, value, &text)
                                        : AppendText(runtime_, value, &text));
      value = runtime_.NewString(text);
    }
    ASSIGN_OR_RETURN(const std::string text, Convert(value, spec));
    out_ += safe_ && !value.safe ? EscapeHtml(text) : text;
    return absl::OkStatus();
  }

  // "", "0", "name", each with .attribute and [key] behind it.
  absl::StatusOr<Value> Lookup(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    ASSIGN_OR_RETURN(Value value, Argument(name.substr(0, end)));
    for (std::string_view rest = name.substr(end); !rest.empty();) {
      const bool bracket = rest.front() == '[';
      const size_t close =
          bracket ? rest.find(']') : std::min(rest.find_first_of(".[", 1), rest.size());
      if (close == rest.npos) return InvalidArgument("missing ']' in format string");
      const std::string_view part = rest.substr(1, close - 1);
      const std::optional<int64_t> index = ParseInt(part);
      if (bracket) {
        ASSIGN_OR_RETURN(
            value, GetItem(runtime_, value, index ? Value::Integer(*index) : Value::String(part)));
      } else {
        ASSIGN_OR_RETURN(value, GetAttribute(runtime_, value, part));
      }
      rest = rest.substr(bracket ? close + 1 : close);
    }
    return value;
  }

  absl::StatusOr<Value> Argument(std::string_view name) {
    std::optional<int64_t> index = ParseInt(name);
    if (name.empty() || index.has_value()) {
      const bool automatic = name.empty();
      if (numbering_.has_value() && *numbering_ != automatic) {
        return InvalidArgument("str.format: automatic and manual field numbers are mixed");
      }
      numbering_ = automatic;
      if (automatic) index = next_++;
      if (*index < 0 || static_cast<size_t>(*index) >= args_.positional.size()) {
        return InvalidArgument("str.format: there is no argument %d", *index);
      }
      return args_.positional[static_cast<size_t>(*index)];
    }
    for (const auto& [known, value] : args_.named) {
      if (known == name) return value;
    }
    return InvalidArgument("str.format: there is no argument '%s'", name);
  }

  // [[fill]align][sign][#][0][width][,][.precision][type]
  absl::StatusOr<Conversion> ParseSpec(std::string_view spec) {
    Conversion conversion;
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    size_t at = 0;
    size_t first = 0;  // the end of the first code point, which may be a fill
    if (!spec.empty()) Decode(spec, &first);
    if (first > 0 && first < spec.size() && is_align(spec[first])) {
      conversion.fill = std::string(spec.substr(0, first));
      conversion.align = spec[first];
      at = first + 1;
    } else if (!spec.empty() && is_align(spec[0])) {
      conversion.align = spec[0];
      at = 1;
    }
    const auto take = [&](std::string_view any) {
      if (at >= spec.size() || any.find(spec[at]) == any.npos) return '\0';
      return spec[at++];
    };
    const auto number = [&]() {
      const size_t begin = at;
      while (at < spec.size() && spec[at] >= '0' && spec[at] <= '9') ++at;
      return spec.substr(begin, at - begin);
    };
    if (const char sign = take("+- ")) {
      conversion.sign = sign;
      conversion.sign_given = true;
    }
    conversion.alternate = take("#") != '\0';
    if (take("0") != '\0' && conversion.align == '\0') {
      conversion.zero = true;
      conversion.fill = "0";
    }
    if (const std::string_view digits = number(); !digits.empty()) {
      ASSIGN_OR_RETURN(conversion.width, ParseWidth(digits));
    }
    conversion.group = take(",_");
    if (take(".") != '\0') {
      ASSIGN_OR_RETURN(conversion.precision, ParseWidth(number()));
    }
    conversion.type = take("sdxXobeEfFgG%");
    if (at != spec.size()) return InvalidArgument("str.format: unsupported format '%s'", spec);
    return conversion;
  }

  absl::StatusOr<std::string> Convert(const Value& value, std::string_view spec) {
    if (spec.empty()) {
      std::string text;
      RETURN_IF_ERROR(AppendText(runtime_, value, &text));
      return text;
    }
    ASSIGN_OR_RETURN(Conversion conversion, ParseSpec(spec));
    if (value.is_string()) return ConvertString(value, conversion);
    if (!value.is_number()) {
      return InvalidArgument("str.format: unsupported format '%s' for '%s'", spec, TypeName(value));
    }
    if (conversion.zero) conversion.align = '=';
    const bool real_type =
        std::string_view("eEfFgG%").find(conversion.type) != std::string_view::npos;
    if (value.is_integral() && (conversion.type == '\0' || !real_type)) {
      return ConvertInteger(value.as_integer(), conversion, spec);
    }
    return ConvertReal(value.as_real(), conversion, spec);
  }

  absl::StatusOr<std::string> ConvertString(const Value& value, Conversion conversion) {
    if ((conversion.type != 's' && conversion.type != '\0') || conversion.align == '=' ||
        conversion.group != '\0' || conversion.alternate || conversion.sign_given) {
      return InvalidArgument("str.format: a format for numbers, given a str");
    }
    std::string text(value.view_text());
    if (conversion.precision >= 0) {
      text.resize(OffsetOf(text, static_cast<size_t>(conversion.precision)));
    }
    return Laid("", text, conversion, '<');
  }

  absl::StatusOr<std::string> ConvertInteger(int64_t value, const Conversion& conversion,
                                             std::string_view spec) {
    if (conversion.precision >= 0 || conversion.type == 's' ||
        (conversion.group != '\0' && (conversion.zero || conversion.type == 'x' ||
                                      conversion.type == 'b' || conversion.type == 'o'))) {
      return InvalidArgument("str.format: unsupported format '%s' for an int", spec);
    }
    const uint64_t magnitude =
        value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
    std::string sign = SignOf(value < 0, conversion.sign);
    if (conversion.alternate && conversion.type != 'd' && conversion.type != '\0') {
      sign += std::string("0") + conversion.type;
    }
    return Laid(sign, Grouped(DigitsOf(magnitude, conversion.type), conversion.group), conversion,
                '>');
  }

  absl::StatusOr<std::string> ConvertReal(double value, Conversion conversion,
                                          std::string_view spec) {
    const bool percent = conversion.type == '%';
    if (conversion.group != '\0' && conversion.zero) {
      return InvalidArgument("str.format: unsupported format '%s' for a float", spec);
    }
    std::string digits;
    if (conversion.type == '\0' && conversion.precision < 0) {
      digits = RealRepr(std::abs(value));
    } else if (std::string_view("eEfFgG%").find(conversion.type) == std::string_view::npos) {
      return InvalidArgument("str.format: unsupported format '%s' for a float", spec);
    } else {
      if (percent) conversion.type = 'f';
      digits = RealDigits(percent ? value * 100 : value, conversion) + (percent ? "%" : "");
    }
    const bool negative = std::signbit(value) && !std::isnan(value);
    return Laid(SignOf(negative, conversion.sign), Grouped(digits, conversion.group), conversion,
                '>');
  }

  Runtime& runtime_;
  std::string_view format_;
  bool safe_;
  const Arguments& args_;
  std::optional<bool> numbering_;  // automatic?
  int64_t next_ = 0;
  std::string out_;
};

absl::StatusOr<Value> Keep(Runtime& runtime, const absl::StatusOr<std::string>& text, bool safe) {
  RETURN_IF_ERROR(text.status());
  RETURN_IF_ERROR(runtime.Reserve(text->size()));
  Value value = runtime.NewString(*text);
  value.safe = safe;
  return value;
}

}  // namespace

absl::StatusOr<Value> PercentFormat(Runtime& runtime, const Value& format, const Value& values) {
  RETURN_IF_ERROR(runtime.ChargeBytes(format.size));
  return Keep(runtime, PercentFormatter(runtime, format, values).Format(), format.safe);
}

absl::StatusOr<Value> BraceFormat(Runtime& runtime, const Value& format, const Arguments& args) {
  RETURN_IF_ERROR(runtime.ChargeBytes(format.size));
  return Keep(runtime, BraceFormatter(runtime, format, args).Format(), format.safe);
}

}  // namespace assay::jinja
