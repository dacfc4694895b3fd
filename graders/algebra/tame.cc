// The two alphabets. What is special: the bounds are on the text alone, so that the question costs
// less than a microsecond. 96 bytes of digits, signs and fractions make numbers of at most 96
// digits each, and a dozen commas make lists that match in a few hundred comparisons of rationals;
// no logarithm, root or power is among them, and so no library that may explode.
#include "graders/algebra/tame.h"

#include <algorithm>
#include <array>
#include <span>

#include "harness/text.h"

namespace assay::algebra {
namespace {

constexpr size_t kMostBytes = 96;
constexpr int kMostCommas = 12;
constexpr int kMostPowers = 3;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The letters of the macro behind the backslash at `at`; empty for a control symbol.
std::string_view MacroAt(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && IsLetter(text[end])) ++end;
  return text.substr(at + 1, end - at - 1);
}

bool IsOneOf(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Plain numbers, fractions, percentages and money, and lists, tuples and intervals of them.
bool IsPlainNumbers(std::string_view text) {
  static constexpr std::array<std::string_view, 5> macros = {"frac", "dfrac", "tfrac", "left",
                                                             "right"};
  if (text.size() > kMostBytes) return false;
  int commas = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (IsDigit(c)) continue;
    if (c == '\\') {
      const std::string_view name = MacroAt(text, at);
      const bool symbol =
          name.empty() && at + 1 < text.size() && Contains("!,;:%${} ", text.substr(at + 1, 1));
      if (!symbol && !IsOneOf(name, macros)) return false;
      at += std::max<size_t>(name.size(), 1);
    } else if (c == ',' || c == ';') {
      if (++commas > kMostCommas) return false;
    } else if (!Contains(" .+-/()[]{}$%", std::string_view(&c, 1))) {
      return false;
    }
  }
  return true;
}

// Behind '^': one digit, one letter or a degree sign, and no further power on it.
bool IsSmallPower(std::string_view rest) {
  const bool group = !rest.empty() && rest.front() == '{';
  if (group) rest.remove_prefix(1);
  size_t length = 1;
  if (rest.substr(0, 5) == "\\circ") {
    length = 5;
  } else if (rest.empty() || !(IsDigit(rest.front()) || IsLetter(rest.front()))) {
    return false;
  }
  rest.remove_prefix(length);
  if (group && (rest.empty() || rest.front() != '}')) return false;
  if (group) rest.remove_prefix(1);
  return rest.empty() || rest.front() != '^';
}

// What is compared with itself is only read and searched for divisions by zero.
bool IsPlainFormula(std::string_view text) {
  static constexpr std::array<std::string_view, 22> macros = {
      "frac", "dfrac", "tfrac",  "left",   "right", "sqrt", "pi",  "text", "circ", "cdot",  "times",
      "cup",  "infty", "mathrm", "textbf", "theta", "le",   "leq", "ge",   "geq",  "alpha", "beta"};
  if (text.size() > kMostBytes) return false;
  int powers = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\') {
      const std::string_view name = MacroAt(text, at);
      const bool symbol =
          name.empty() && at + 1 < text.size() && Contains("!,;:%${} ", text.substr(at + 1, 1));
      if (!symbol && !IsOneOf(name, macros)) return false;
      at += std::max<size_t>(name.size(), 1);
    } else if (c == '^') {
      if (!IsSmallPower(text.substr(at + 1)) || ++powers > kMostPowers) return false;
    } else if ((c == 'e' || c == 'E') && at > 0 && IsDigit(text[at - 1])) {
      return false;  // 1e99999
    } else if (!IsDigit(c) && !IsLetter(c) &&
               !Contains(" .,;:+-*/=<>()[]{}$%'_?\"", std::string_view(&c, 1))) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsTame(std::string_view reference, std::string_view answer) {
  if (Trim(reference) == Trim(answer))
    return IsPlainNumbers(reference) || IsPlainFormula(reference);
  return IsPlainNumbers(reference) && IsPlainNumbers(answer);
}

}  // namespace assay::algebra
