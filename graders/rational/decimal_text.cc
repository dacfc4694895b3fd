// Works on digits, not on values: a number of a million digits is compared, not computed.
#include "graders/rational/decimal_text.h"

#include <array>

#include "harness/text.h"

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
  static constexpr std::array<Pair, 6> kPairs = {
      {{"$", "$"}, {"\"", "\""}, {"'", "'"}, {"“", "”"}, {"`", "`"}, {"**", "**"}}};
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

std::string NormalText(std::string_view text, bool keep_case) {
  text = Trim(text);
  text = WithoutPair(text);
  if (text.ends_with(".") && !text.ends_with(".."))
    text = TrimRight(text.substr(0, text.size() - 1));
  text = WithoutPair(text);
  std::string normal;
  for (const char c : text) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (blank && normal.ends_with(' ')) continue;
    normal += blank ? ' ' : c;
  }
  return keep_case ? normal : ToLowerAscii(normal);
}

}  // namespace assay
