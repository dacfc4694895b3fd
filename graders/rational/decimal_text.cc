// Works on digits, not on values: a number of a million digits is compared, not computed.
#include "graders/rational/decimal_text.h"

#include <algorithm>
#include <array>

#include "graders/instructions/unicode.h"
#include "harness/text.h"
#include "re2/re2.h"

namespace assay {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool AllDigits(std::string_view text) { return text.find_first_not_of("0123456789") == kNowhere; }

// Takes one of the spellings of a thousands mark off the front.
bool TakeMark(std::string_view* text) {
  for (const std::string_view mark : {",\\!", "{,}", "\\,", ","}) {
    if (!text->starts_with(mark)) continue;
    text->remove_prefix(mark.size());
    return true;
  }
  return false;
}

// The digits of the whole part: ungrouped, or one to three and then groups of three.
std::optional<std::string> WholeDigits(std::string_view text) {
  if (AllDigits(text)) return std::string(text);
  std::string digits;
  while (!text.empty() && IsDigit(text[0])) {
    digits += text[0];
    text.remove_prefix(1);
  }
  if (digits.empty() || digits.size() > 3) return std::nullopt;
  while (!text.empty()) {
    if (!TakeMark(&text) || text.size() < 3 || !AllDigits(text.substr(0, 3))) return std::nullopt;
    digits += text.substr(0, 3);
    text.remove_prefix(3);
  }
  return digits;
}

// Takes a sign off the front; whether it was a minus.
bool TakeMinus(std::string_view* text) {
  for (const std::string_view minus : {"-", "−"}) {
    if (!text->starts_with(minus)) continue;
    text->remove_prefix(minus.size());
    return true;
  }
  if (text->starts_with("+")) text->remove_prefix(1);
  return false;
}

std::string_view WithoutPair(std::string_view text) {
  struct Pair {
    std::string_view open, close;
  };
  static constexpr std::array<Pair, 9> kPairs = {{{"$$", "$$"},
                                                  {"$", "$"},
                                                  {"\\(", "\\)"},
                                                  {"\\[", "\\]"},
                                                  {"\"", "\""},
                                                  {"'", "'"},
                                                  {"“", "”"},
                                                  {"`", "`"},
                                                  {"**", "**"}}};
  for (const Pair& pair : kPairs) {
    const bool around = text.size() >= pair.open.size() + pair.close.size() &&
                        text.starts_with(pair.open) && text.ends_with(pair.close);
    if (!around) continue;
    const std::string_view inner =
        text.substr(pair.open.size(), text.size() - pair.open.size() - pair.close.size());
    if (!Contains(inner, pair.open) && !Contains(inner, pair.close)) return Trim(inner);
  }
  return text;
}

// The content of \text{...}, \textbf{...} and the like, where that is the whole of `text`.
std::string_view WithoutMacro(std::string_view text) {
  static constexpr std::array<std::string_view, 16> kMacros = {
      "\\text",       "\\textbf", "\\textit", "\\textrm",      "\\textsf", "\\texttt",
      "\\textnormal", "\\emph",   "\\mbox",   "\\mathrm",      "\\mathbf", "\\mathit",
      "\\mathsf",     "\\mathtt", "\\boxed",  "\\operatorname"};
  const size_t open = text.find('{');
  if (open == kNowhere || !text.ends_with("}")) return text;
  const std::string_view name = TrimRight(text.substr(0, open));
  if (std::find(kMacros.begin(), kMacros.end(), name) == kMacros.end()) return text;
  int depth = 0;
  for (size_t i = open; i + 1 < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return text;  // "\text{A} or \text{B}"
    }
  }
  return Trim(text.substr(open + 1, text.size() - open - 2));
}

// Pairs of marks and macros around the whole, and one final period, in whatever order they stand.
std::string_view WithoutFrame(std::string_view text) {
  bool period = false;
  constexpr int kMostFrames = 8;  // so that a text of nothing but frames is read in linear time
  size_t before = text.size() + 1;
  for (int i = 0; i < kMostFrames && text.size() < before; ++i) {
    before = text.size();
    text = WithoutMacro(WithoutPair(Trim(text)));
    if (period || !text.ends_with(".") || text.ends_with("..")) continue;
    text = TrimRight(text.substr(0, text.size() - 1));
    period = true;
  }
  return text;
}

// `decimal` as CanonicalDecimal gives it, its point moved `places` to the right.
std::string Moved(std::string_view decimal, int places) {
  const bool minus = decimal.starts_with("-");
  if (minus) decimal.remove_prefix(1);
  const size_t point = std::min(decimal.find('.'), decimal.size());
  std::string digits(decimal.substr(0, point));
  if (point < decimal.size()) digits += decimal.substr(point + 1);
  int whole = static_cast<int>(point) + places;
  if (whole < 0) digits.insert(0, static_cast<size_t>(-whole), '0');
  whole = std::max(whole, 0);
  if (digits.size() < static_cast<size_t>(whole)) digits.append(whole - digits.size(), '0');
  digits.insert(static_cast<size_t>(whole), ".");
  return (minus ? "-" : "") + digits;
}

}  // namespace

std::optional<std::string> CanonicalDecimal(std::string_view text) {
  text = Trim(text);
  const bool minus = TakeMinus(&text);
  const size_t point = text.find('.');
  const std::string_view fraction = point == kNowhere ? "" : text.substr(point + 1);
  const std::string_view whole_text = text.substr(0, point);
  if (!AllDigits(fraction) || (whole_text.empty() && fraction.empty())) return std::nullopt;
  const std::optional<std::string> whole = WholeDigits(whole_text);
  if (!whole) return std::nullopt;
  std::string_view digits = *whole;
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  const size_t last = fraction.find_last_not_of('0');
  const std::string_view decimals = last == kNowhere ? "" : fraction.substr(0, last + 1);
  std::string canonical = digits.empty() ? "0" : std::string(digits);
  if (!decimals.empty()) canonical += "." + std::string(decimals);
  return minus && canonical != "0" ? "-" + canonical : canonical;
}

std::optional<std::string> CanonicalNumber(std::string_view text) {
  if (std::optional<std::string> decimal = CanonicalDecimal(text)) return decimal;
  constexpr size_t kLongest = 4000;
  if (text.size() > kLongest) return std::nullopt;
  static const auto* power = new RE2(
      R"(([-+−]?[\d.,{}\\!]*\d\.?)(?:[eE]|\s*(?:\\times|\\cdot|×|·|\*|x)\s*10\s*(?:\^|\*\*))\s*\{?([-+−]?\d{1,4})\}?)");
  std::string mantissa, exponent;
  if (!RE2::FullMatch(std::string(Trim(text)), *power, &mantissa, &exponent)) return std::nullopt;
  const std::optional<std::string> decimal = CanonicalDecimal(mantissa);
  const std::optional<std::string> places = CanonicalDecimal(exponent);
  if (!decimal || !places) return std::nullopt;
  const int64_t moved = ParseInt(*places).value_or(0);
  if (moved > 1000 || moved < -1000) return std::nullopt;
  return CanonicalDecimal(Moved(*decimal, static_cast<int>(moved)));
}

std::string NormalText(std::string_view text, bool keep_case) {
  text = WithoutFrame(text);
  std::string normal;
  for (const char c : text) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (blank && normal.ends_with(' ')) continue;
    normal += blank ? ' ' : c;
  }
  const bool ascii = std::all_of(normal.begin(), normal.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii || FirstInvalidUtf8(normal)) return keep_case ? normal : ToLowerAscii(normal);
  return keep_case ? instructions::Composed(normal) : instructions::CaseFolded(normal);
}

}  // namespace assay
