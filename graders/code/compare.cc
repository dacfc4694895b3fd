// Each comparator reads both texts token by token or line by line, and says where they part.
#include "graders/code/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "harness/status.h"
#include "harness/text.h"

namespace assay::code {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"lcb",   "tokens", "floats", "lines",
                                                    "yesno", "exact",  "program"};

// ---- tokens -----------------------------------------------------------------------------------

struct Token {
  std::string_view text;
  int64_t line = 0;
};

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The next token at or after *at; nothing at the end.
std::optional<Token> NextToken(std::string_view text, size_t* at, int64_t* line) {
  while (*at < text.size() && IsBlank(text[*at])) {
    *line += text[*at] == '\n';
    ++*at;
  }
  if (*at == text.size()) return std::nullopt;
  const size_t begin = *at;
  while (*at < text.size() && !IsBlank(text[*at])) ++*at;
  return Token{text.substr(begin, *at - begin), *line};
}

std::string Quoted(std::string_view text) { return "'" + Printable(Shorten(text, 60)) + "'"; }

template <typename Same>
Match CompareTokens(std::string_view output, std::string_view expected, const Same& same) {
  size_t at = 0, wanted_at = 0;
  int64_t line = 1, wanted_line = 1, count = 0;
  while (true) {
    ++count;
    const std::optional<Token> found = NextToken(output, &at, &line);
    const std::optional<Token> wanted = NextToken(expected, &wanted_at, &wanted_line);
    if (!found && !wanted) return {true, 0, ""};
    if (!found)
      return {
          false, line,
          absl::StrFormat("ends after %d tokens, expected %s", count - 1, Quoted(wanted->text))};
    if (!wanted)
      return {false, found->line,
              absl::StrFormat("has %s after the last expected token", Quoted(found->text))};
    if (same(found->text, wanted->text)) continue;
    return {false, found->line,
            absl::StrFormat("token %d: expected %s, found %s", count, Quoted(wanted->text),
                            Quoted(found->text))};
  }
}

bool SameFloat(const Checker& checker, std::string_view found, std::string_view wanted) {
  if (found == wanted) return true;
  const std::optional<double> number = ParseDouble(wanted);
  const std::optional<double> given = ParseDouble(found);
  if (!number || !given) return false;
  return NearlyEqual(*number, *given, checker.absolute, checker.relative);
}

// ---- lines ------------------------------------------------------------------------------------

std::vector<std::string_view> LinesWithoutEnds(std::string_view text) {
  std::vector<std::string_view> lines = Split(text, '\n');
  for (std::string_view& line : lines) line = TrimRight(line);
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

template <typename Same>
Match CompareLines(const std::vector<std::string_view>& found,
                   const std::vector<std::string_view>& wanted, const Same& same) {
  for (size_t i = 0; i < std::min(found.size(), wanted.size()); ++i) {
    if (same(found[i], wanted[i])) continue;
    return {false, static_cast<int64_t>(i) + 1,
            absl::StrFormat("line %d: expected %s, found %s", i + 1, Quoted(wanted[i]),
                            Quoted(found[i]))};
  }
  if (found.size() == wanted.size()) return {true, 0, ""};
  return {false, static_cast<int64_t>(std::min(found.size(), wanted.size())) + 1,
          absl::StrFormat("%d lines, expected %d", found.size(), wanted.size())};
}

// ---- LiveCodeBench's --------------------------------------------------------------------------

// The code point at `at` and its length; ill-formed bytes are themselves.
std::pair<char32_t, size_t> CodePoint(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0xC0) return {first, 1};
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at + length > text.size()) return {first, 1};
  char32_t value = first & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) value = value << 6 | (byte(i) & 0x3F);
  return {value, length};
}

// What str.strip and str.split of Python 3 take for a blank.
bool IsPythonBlank(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<std::string_view> PythonSplit(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = std::string_view::npos;
  for (size_t at = 0; at < text.size();) {
    const auto [c, length] = CodePoint(text, at);
    if (IsPythonBlank(c) && begin != std::string_view::npos) {
      words.push_back(text.substr(begin, at - begin));
      begin = std::string_view::npos;
    } else if (!IsPythonBlank(c) && begin == std::string_view::npos) {
      begin = at;
    }
    at += length;
  }
  if (begin != std::string_view::npos) words.push_back(text.substr(begin));
  return words;
}

std::string_view PythonStrip(std::string_view text) {
  const std::vector<std::string_view> words = PythonSplit(text);
  if (words.empty()) return {};
  const char* end = words.back().data() + words.back().size();
  return {words.front().data(), static_cast<size_t>(end - words.front().data())};
}

// Digits of other scripts that decimal.Decimal reads: the zeros of Unicode's decimal digits, basic
// plane.
char DigitOf(char32_t c) {
  if (c >= '0' && c <= '9') return static_cast<char>(c);
  for (const char32_t zero :
       {0x660,  0x6F0,  0x7C0,  0x966,  0x9E6,  0xA66,  0xAE6,  0xB66,  0xBE6,
        0xC66,  0xCE6,  0xD66,  0xDE6,  0xE50,  0xED0,  0xF20,  0x1040, 0x1090,
        0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
        0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10}) {
    if (c >= zero && c < zero + 10) return static_cast<char>('0' + (c - zero));
  }
  return 0;
}

// A decimal number in one spelling: digits without zeros at either end, and an exponent of ten.
struct Decimal {
  enum class Kind { kFinite, kInfinite, kNotANumber } kind = Kind::kFinite;
  bool negative = false;
  std::string digits;  // "" is zero
  int64_t exponent = 0;
};

// What decimal.Decimal(text) reads (Python 3.11: underscores and any script's digits allowed).
std::optional<Decimal> ReadDecimal(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size();) {
    const auto [c, length] = CodePoint(text, at);
    at += length;
    if (c == '_') continue;
    const char digit = DigitOf(c);
    if (digit == 0 && c >= 0x80) return std::nullopt;
    plain += digit != 0 ? digit : static_cast<char>(c);
  }
  Decimal decimal;
  std::string_view rest = plain;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    decimal.negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  const std::string lower = ToLowerAscii(rest);
  if (lower == "inf" || lower == "infinity") {
    decimal.kind = Decimal::Kind::kInfinite;
    return decimal;
  }
  const size_t nan = lower.starts_with("snan") ? 4 : lower.starts_with("nan") ? 3 : 0;
  if (nan > 0) {
    const bool payload = lower.find_first_not_of("0123456789", nan) == std::string::npos;
    decimal.kind = Decimal::Kind::kNotANumber;
    return payload ? std::optional<Decimal>(decimal) : std::nullopt;
  }
  size_t at = 0;
  bool any = false;
  const auto digits = [&](bool fraction) {
    for (; at < rest.size() && rest[at] >= '0' && rest[at] <= '9'; ++at) {
      decimal.digits += rest[at];
      decimal.exponent -= fraction;
      any = true;
    }
  };
  digits(false);
  if (at < rest.size() && rest[at] == '.') {
    ++at;
    digits(true);
  }
  if (!any) return std::nullopt;
  if (at < rest.size() && (rest[at] == 'e' || rest[at] == 'E')) {
    std::string_view power = rest.substr(at + 1);
    if (!power.empty() && power[0] == '+') power.remove_prefix(1);
    if (power.empty() || power[0] == '+') return std::nullopt;
    const std::optional<int64_t> value = ParseInt(power);
    if (!value || std::abs(*value) > int64_t{999999999999999999}) return std::nullopt;
    decimal.exponent += *value;
    at = rest.size();
  }
  if (at != rest.size()) return std::nullopt;
  decimal.digits.erase(0, std::min(decimal.digits.find_first_not_of('0'), decimal.digits.size()));
  while (!decimal.digits.empty() && decimal.digits.back() == '0') {
    decimal.digits.pop_back();
    ++decimal.exponent;
  }
  if (decimal.digits.empty()) decimal.exponent = 0, decimal.negative = false;
  return decimal;
}

bool SameDecimal(const Decimal& a, const Decimal& b) {
  if (a.kind == Decimal::Kind::kNotANumber || a.kind != b.kind) return false;
  if (a.kind == Decimal::Kind::kInfinite) return a.negative == b.negative;
  return a.negative == b.negative && a.digits == b.digits && a.exponent == b.exponent;
}

bool SameLcbLine(std::string_view found, std::string_view wanted) {
  if (found == wanted) return true;
  const std::vector<std::string_view> words = PythonSplit(found), others = PythonSplit(wanted);
  if (words.size() != others.size()) return false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::optional<Decimal> a = ReadDecimal(words[i]), b = ReadDecimal(others[i]);
    if (!a || !b || !SameDecimal(*a, *b)) return false;
  }
  return true;
}

std::vector<std::string_view> LcbLines(std::string_view text) {
  std::vector<std::string_view> lines = Split(PythonStrip(text), '\n');
  for (std::string_view& line : lines) line = PythonStrip(line);
  return lines;
}

absl::StatusOr<double> ReadTolerance(const Json& json, std::string_view name, double otherwise,
                                     std::string_view where) {
  const Json* value = json.Find(name);
  if (value == nullptr) return otherwise;
  if (value->is_number() && value->AsNumber() >= 0) return value->AsNumber();
  return InvalidArgument("%s: checker: field '%s': expected a number from 0 on, found %s",
                         std::string(where), std::string(name), value->Dump());
}

}  // namespace

bool NearlyEqual(double expected, double found, double absolute, double relative) {
  if (std::isnan(expected) || std::isnan(found)) return std::isnan(expected) && std::isnan(found);
  if (std::isinf(expected) || std::isinf(found)) return expected == found;
  const double difference = std::abs(expected - found);
  // A little slack, so that a bound written in decimal is not missed by its last binary digit.
  return difference <= absolute + 1e-15 || difference <= relative * std::abs(expected) + 1e-15;
}

Match Compare(const Checker& checker, std::string_view output, std::string_view expected) {
  switch (checker.comparison) {
    case Comparison::kTokens:
      return CompareTokens(output, expected,
                           [](std::string_view a, std::string_view b) { return a == b; });
    case Comparison::kYesNo:
      return CompareTokens(output, expected, EqualsIgnoreCaseAscii);
    case Comparison::kFloats:
      return CompareTokens(output, expected, [&](std::string_view a, std::string_view b) {
        return SameFloat(checker, a, b);
      });
    case Comparison::kLines:
      return CompareLines(LinesWithoutEnds(output), LinesWithoutEnds(expected),
                          [](std::string_view a, std::string_view b) { return a == b; });
    case Comparison::kLcb:
      return CompareLines(LcbLines(output), LcbLines(expected), SameLcbLine);
    case Comparison::kExact:
      if (output == expected) return {true, 0, ""};
      return {false,
              1 + std::count(
                      output.begin(),
                      std::mismatch(output.begin(), output.end(), expected.begin(), expected.end())
                          .first,
                      '\n'),
              "not the same bytes"};
    case Comparison::kProgram:
      break;
  }
  CHECK(checker.comparison != Comparison::kProgram);
  return {};
}

std::string_view ComparisonName(Comparison comparison) {
  return kNames[static_cast<size_t>(comparison)];
}

absl::StatusOr<Checker> CheckerFromJson(const Json& json, std::string_view where) {
  Checker checker;
  if (json.is_null()) return checker;
  const std::optional<std::string> name =
      json.is_string() ? std::optional<std::string>(json.AsString()) : json.FindString("type");
  const auto found = name ? std::find(kNames.begin(), kNames.end(), *name) : kNames.end();
  if (found == kNames.end()) {
    const std::vector<std::string> known(kNames.begin(), kNames.end());
    return InvalidArgument("%s: field 'checker': expected one of %s, found %s%s",
                           std::string(where), Join(known, ", "), Shorten(json.Dump(), 60),
                           DidYouMean(name.value_or(""), known));
  }
  checker.comparison = static_cast<Comparison>(found - kNames.begin());
  const std::optional<double> both = json.FindNumber("float_tolerance");
  if (both && checker.comparison == Comparison::kTokens) checker.comparison = Comparison::kFloats;
  ASSIGN_OR_RETURN(checker.absolute, ReadTolerance(json, "absolute", both.value_or(1e-6), where));
  ASSIGN_OR_RETURN(checker.relative, ReadTolerance(json, "relative", both.value_or(1e-6), where));
  checker.language = json.FindString("language").value_or("");
  checker.source = json.FindString("source").value_or("");
  if (checker.comparison == Comparison::kProgram &&
      (checker.language.empty() || checker.source.empty())) {
    return InvalidArgument("%s: field 'checker': a program needs 'language' and 'source'",
                           std::string(where));
  }
  return checker;
}

}  // namespace assay::code
