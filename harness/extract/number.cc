// The extractor `number`: the number that the reply announces, else its last number.
//
// It takes a number only where the sentence says that number and no other: "5 or 6", "not 5",
// "5\pi" and "more than 5" are not 5, "5 million" and "1 000" are what they say. In doubt: none.
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

// ---- One number -------------------------------------------------------------------------------

// A number without its sign: \frac{a}{b}; "2 1/2"; or digits with thousands marks (blanks too, in
// groups of three), decimals, a denominator, a power of ten; and a percent sign.
const RE2& NumberPattern() {
  static const RE2* pattern = new RE2(
      R"((?:(?:\d+\s?)?\\[dtc]?frac\{\s?[-+]?\d+\s?\}\{\s?\d+\s?\})"
      R"(|\d{1,4} \d{1,3}/\d{1,3}\b)"
      R"(|(?:\d{1,3}(?:(?:,|\{,\}|,\\!|\\,)\d{3})+\b(?:\.\d+\b)?)"
      R"(|[1-9]\d{0,2}(?:(?: |\\ |~|\x{A0}|\x{2009}|\x{202F})\d{3})+\b(?:\.\d+\b)?|\d+(?:\.\d+)?|\.\d+))"
      R"((?:\s?/\s?\d+\b|[eE][-+]?\d+\b|\s?(?:\\times|\\cdot|×|\*)\s?10\s?(?:\^|\*\*)\s?\{?[-+]?\d+\}?|\^\{?[-+]?\d+\}?)?))"
      R"((?:\s?\\?%)?)");
  return *pattern;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// 1st, 2nd, 3rd, 4th.
bool IsOrdinal(std::string_view text, size_t end) {
  const std::string_view rest = text.substr(end);
  for (const std::string_view suffix : {"st", "nd", "rd", "th"}) {
    if (!rest.starts_with(suffix)) continue;
    return rest.size() == 2 || !IsWord(rest[2]);
  }
  return false;
}

// Part of a name or an index: x2, x_1, x_{12}, x^2.
bool IsPartOfName(std::string_view text, size_t begin) {
  if (begin == 0) return false;
  size_t before = begin - 1;
  if (text[before] == '{' && before > 0) --before;
  const char c = text[before];
  if (c == '_' || c == '^') return true;
  return before == begin - 1 && IsWord(c);
}

bool EndsWithMinus(std::string_view text) {
  return text.ends_with("-") || text.ends_with("−") || text.ends_with("–");
}

// Where the sign before the number at `begin` stands, or `begin`. In "3-5" it is no sign, and at
// the front of a line with a blank behind it, it is a bullet.
size_t SignBegin(std::string_view text, size_t begin) {
  std::string_view before = text.substr(0, begin);
  bool blank = false;
  while (before.ends_with("$") || before.ends_with(" ")) {
    blank |= before.back() == ' ';
    before.remove_suffix(1);
    if (before.ends_with("\\")) before.remove_suffix(1);
  }
  if (!EndsWithMinus(before)) return begin;
  const size_t sign = before.size() - (before.back() == '-' ? 1 : 3);
  const std::string_view left = text.substr(0, sign);
  if (left.empty()) return blank ? begin : sign;
  const char c = left.back();
  if (IsWord(c) || c == ')' || c == ']' || c == '}') return begin;
  const std::string_view nearest = TrimRight(left);
  const bool after_relation =
      !nearest.empty() && std::string_view("=(,[{:").find(nearest.back()) != kNowhere;
  return blank && !after_relation ? begin : sign;
}

// "5 million": digits and the zeros that a word behind them stands for.
struct Scale {
  size_t length = 0;  // of the words; 0: there is none
  int zeros = 0;      // -1: a word whose size differs from language to language
};

Scale ScaleAfter(std::string_view text) {
  static const RE2* pattern = new RE2(
      R"((?i)^(\s?(?:\\text\{\s*|\\,|\\ )?\s?(?:(hundred|thousand|million|billion|trillion|lakhs?|crores?)\b\}?|(万|亿)|((?:millionen|milliarden|milliards?|millones|mio|mrd|mn|bn|mil)\b))))");
  static constexpr std::array<std::pair<std::string_view, int>, 11> kZeros = {{{"hundred", 2},
                                                                               {"thousand", 3},
                                                                               {"million", 6},
                                                                               {"billion", 9},
                                                                               {"trillion", 12},
                                                                               {"lakh", 5},
                                                                               {"lakhs", 5},
                                                                               {"crore", 7},
                                                                               {"crores", 7},
                                                                               {"万", 4},
                                                                               {"亿", 8}}};
  Scale scale;
  for (int i = 0; i < 2; ++i) {  // "5 hundred thousand"
    re2::StringPiece all, word, sign, foreign;
    const std::string_view rest = text.substr(scale.length, 40);
    if (!RE2::PartialMatch(rest, *pattern, &all, &word, &sign, &foreign)) break;
    scale.length += all.size();
    if (!foreign.empty() || scale.zeros < 0) {
      scale.zeros = -1;
      continue;
    }
    const re2::StringPiece& found = word.empty() ? sign : word;
    const std::string name = ToLowerAscii({found.data(), found.size()});
    for (const auto& [known, zeros] : kZeros) scale.zeros += known == name ? zeros : 0;
  }
  return scale;
}

// `digits` (plain: 12, 2.5, 1,250) with its point moved by `zeros`; nothing where it is not plain.
std::optional<std::string> Scaled(std::string_view digits, int zeros) {
  if (zeros < 0) return std::nullopt;
  std::string plain = ReplaceAll(digits, ",", "");
  if (plain.find_first_not_of("0123456789.") != std::string::npos) return std::nullopt;
  const size_t point = plain.find('.');
  std::string decimals;
  if (point != std::string::npos) {
    decimals = plain.substr(point + 1);
    plain.resize(point);
  }
  decimals.resize(std::max(decimals.size(), static_cast<size_t>(zeros)), '0');
  plain += decimals.substr(0, zeros);
  decimals.erase(0, zeros);
  while (decimals.ends_with('0')) decimals.pop_back();
  plain.erase(0, std::min(plain.find_first_not_of('0'), plain.size() - 1));
  return decimals.empty() ? plain : plain + "." + decimals;
}

// Something in a text that is read as a number.
struct Number {
  size_t begin = 0;   // of its digits
  size_t end = 0;     // behind its scale: "5 million" is one number
  Found found;        // with sign
  bool clear = true;  // false: "1/2 million", "5 Millionen"
};

Number ReadNumber(std::string_view text, size_t begin, size_t end) {
  Number number{begin, end, {}, true};
  const size_t sign = SignBegin(text, begin);
  std::string digits(Trim(text.substr(begin, end - begin)));
  static const RE2* groups = new RE2(R"((?:\\ |[ ~\x{A0}\x{2009}\x{202F}])(\d{3}))");
  if (digits.find('/') == std::string::npos) RE2::GlobalReplace(&digits, *groups, R"(\1)");
  const Scale scale = ScaleAfter(text.substr(end));
  if (scale.length > 0) {
    const std::optional<std::string> scaled = Scaled(digits, scale.zeros);
    number.end += scale.length;
    number.clear = scaled.has_value();
    if (scaled) digits = *scaled;
  }
  number.found = {(sign < begin ? "-" : "") + digits, "", sign, number.end};
  return number;
}

// The first number of `span` from `at` on.
std::optional<Number> NextNumber(std::string_view text, Span span, size_t at) {
  const std::string_view window = text.substr(0, span.end);
  while (at < span.end) {
    re2::StringPiece match;
    if (!NumberPattern().Match(window, at, window.size(), RE2::UNANCHORED, &match, 1)) break;
    const size_t begin = static_cast<size_t>(match.data() - text.data()),
                 end = begin + match.size();
    if (!IsPartOfName(text, begin) && !IsOrdinal(text, end)) return ReadNumber(text, begin, end);
    at = end;
  }
  return std::nullopt;
}

// What the digits come to, to see that "1/2 or 0.5" are no alternatives.
std::optional<double> Value(std::string_view answer) {
  std::string plain = ReplaceAll(answer, ",", "");
  double factor = 1;
  if (plain.ends_with("%")) {
    factor = 0.01;
    plain.resize(plain.find_last_not_of("\\% ") + 1);
  }
  const size_t slash = plain.find('/');
  const std::optional<double> above = ParseDouble(plain.substr(0, slash));
  if (!above || slash == std::string::npos) return above ? std::optional(*above * factor) : above;
  const std::optional<double> below = ParseDouble(plain.substr(slash + 1));
  return below && *below != 0 ? std::optional(factor * *above / *below) : std::nullopt;
}

bool SameValue(const Number& a, const Number& b) {
  if (a.found.text == b.found.text) return true;
  const std::optional<double> x = Value(a.found.text), y = Value(b.found.text);
  return x && y && std::abs(*x - *y) <= 1e-12 * std::abs(*x);
}

// ---- What stands around it --------------------------------------------------------------------

bool Finds(std::string_view text, const RE2& pattern) { return RE2::PartialMatch(text, pattern); }

std::string_view Before(std::string_view text, size_t at, size_t most) {
  return text.substr(at > most ? at - most : 0, std::min(at, most));
}

// "not 5", "isn't 5", "rather than 5": said to be something else.
bool IsDenied(std::string_view before) {
  static const RE2* pattern = new RE2(
      R"((?i)(?:\b(?:not|never|cannot|rather than|instead of)|n't|n’t|≠|\\neq?|!=)\s*(?:\b(?:be|equal|equals|to|the|value|number|simply|exactly)\b\s*)*[\s=:$\\({}*_"'“‘-]*$)");
  return Finds(before, *pattern);
}

// "more than 5", "between 5", "x < 5": a bound is no value.
bool IsBound(std::string_view before) {
  static const RE2* pattern = new RE2(
      R"((?i)(?:\b(?:(?:more|less|greater|fewer|larger|smaller|higher|lower|other)\s+than|at\s+(?:least|most)|between|above|below|over|under|anything\s+but)|[<>≤≥]=?|\\(?:leq?|geq?|lt|gt)q?)(?:\s+or\s+equal\s+to)?[\s$\\({*_"'“-]*$)");
  return Finds(before, *pattern);
}

// Between an announcement and its number: "therefore approximately **$", "x = ", "a total of".
bool LeadsToNumber(std::string_view before) {
  static const RE2* pattern = new RE2(
      R"((?i)^(?:[\s*_$\\(\[{"'“‘:=~≈€£¥>-]|\\(?:text|mathrm|mathbf|textbf|boxed|approx)\b|[A-Za-z]\w?(?:\([a-z]\))?\s*=)"
      R"(|\b(?:the|an?|about|approximately|approx\.?|roughly|around|nearly|exactly|precisely|simply|just|only|therefore|thus|so|then|hence|now|indeed|still|clearly|also|actually|rather|really|equal|equals|to|is|was|be|that|it|it's|of|total|sum|value|number|given|by|final|correct|answer|usd|rs\.?|us|either|one|both),?(?:\s|:|$))*$)");
  return RE2::FullMatch(before, *pattern);
}

// The number goes on: 5x, 5\pi, 5:30, 1.2.3, 5½. `blank`: also behind a blank, where it is math.
bool GoesOn(std::string_view after, bool blank) {
  static const RE2* attached = new RE2(
      R"(^(?:[.,:/'’]\d|\s?\$?\s?(?:\\(?:d?frac|sqrt|pi|cdot|times|div|pm|log|ln|sin|cos|tan|alpha|beta|theta)\b|√|π|×|÷|·|±)|[½⅓⅔¼¾]|\s?/\s?[a-zA-Z](?:[^a-zA-Z]|$)|\(?[a-zA-Z]+\^|[a-zA-Z]\())");
  if (Finds(after, *attached)) return true;
  // One letter that is no unit (m, g, s, h, L, ...) makes a product, or a scale: 5x, 5k, 5M.
  static const RE2* letter = new RE2(R"(^[a-zA-Z](?:[^a-zA-Z0-9_]|$))");
  static const RE2* letters = new RE2(R"(^[abcxyznkqr]{2}(?:[^a-zA-Z0-9_]|$))");
  const std::string_view rest = blank ? TrimLeft(after) : after;
  if (Finds(rest, *letter)) return std::string_view("mgshLlJNWVAKCFca").find(rest[0]) == kNowhere;
  return Finds(after, *letters);
}

// "or", "to", "-", "and", "," behind a number and before another one.
const RE2& JoinPattern() {
  static const RE2* pattern = new RE2(
      R"((?i)^[*_$})\]]*(?:\s*(?:[,;(]\s*)?(?:and\s*/\s*)?(?:\s+[a-z%°]+){0,2}[,;(]?\s*\b(?:or|vs\.?|versus|oder|ou)\b\s+(?:(?:maybe|possibly|perhaps|even|else|about|around|also)\s+)?)"
      R"(|\s*(?:,\s*)?(?:and|und|et|&|to|through|till)\s+|\s*[-–—~]\s*|\s*[,;]\s*(?:(?:and|or)\s+)?)"
      R"(|\s+(?:hours?|hrs?|h|minutes?|mins?|days?|weeks?|months?|years?|feet|foot|ft|yards?|miles?|pounds?|lbs?|dollars?|km|m|kg)\b,?\s*(?:and\s+)?)"
      R"(|\s*[,;]?\s*(?:and\s+)?[a-z]\w?\s*=\s*)[\s$\\({*_"'“€£-]*$)");
  return *pattern;
}

// An operator behind a number and before the rest of a formula: "2 + ", "6 apples * ".
bool IsFormula(std::string_view after) {
  static const RE2* pattern = new RE2(
      R"((?i)^[$})\]]*(?:\s*[a-z]+){0,2}\s*(?:[+×÷·±√]|\\(?:times|cdot|div|pm)\b|\*\s*[$(]*\d|x\s+[$(]*\d|/\s*[$(]*\d|[-−]\s*[$(]*\d|\^|\b(?:times|plus|minus|divided by|multiplied by|squared|cubed|factorial)\b|(?:out of|more than|less than|fewer than|:)\s*[$(]*\d|=))");
  return Finds(after, *pattern);
}

// "5 or more", "5 or six", "5 or not".
bool IsOpen(std::string_view after) {
  static const RE2* pattern = new RE2(
      R"((?i)^[*_$})\]]*(?:\s+[a-z]+)?\s*[,(]?\s*(?:or|and)\s+(?:more|less|fewer|greater|higher|lower|above|below|over|up|under|not|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty)\b)");
  return Finds(after, *pattern);
}

// ---- What a sentence claims -------------------------------------------------------------------

enum class Says { kNothing, kNumber, kConflict, kDenied };

struct Claim {
  Says says = Says::kNothing;
  Found found;
};

// Where the sentence that begins at `begin` ends: at its stop, its line end, after 400 bytes.
Span SentenceAt(std::string_view text, size_t begin) {
  const std::string_view window = text.substr(0, std::min(text.size(), begin + 400));
  const size_t newline = std::min(window.find('\n', begin), window.size());
  static const RE2* stop = new RE2(R"([.!?]["')*_$]*\s|。)");
  re2::StringPiece match;
  const bool stops = stop->Match(window, begin, newline, RE2::UNANCHORED, &match, 1);
  return {begin, stops ? static_cast<size_t>(match.data() - text.data()) : newline};
}

// Another number that is joined to `number`, as an alternative, a range or a list.
bool IsJoined(std::string_view text, Span sentence, const Number& number) {
  const std::optional<Number> next = NextNumber(text, sentence, number.end);
  if (!next) return false;
  const std::string_view between = text.substr(number.end, next->begin - number.end);
  if (between.size() > 60 || !Finds(between, JoinPattern()) || SameValue(number, *next))
    return false;
  // "42, 3 more than before", "42, not 41": another thought begins.
  static const RE2* comma = new RE2(R"(^[*_$})\]]*\s*[,;]\s*[\s$\\({*_"'-]*$)");
  static const RE2* thought = new RE2(R"(^[*_$})\]]*\s+[a-zA-Z]{2,})");
  static const RE2* listed = new RE2(R"(^\s*(?:and|or)\b)");
  const std::string_view after = text.substr(next->end, sentence.end - next->end);
  return !Finds(between, *comma) || Finds(after, *listed) || !Finds(after, *thought);
}

// Every number of `span` is `one`.
bool AllAre(const Number& one, std::string_view text, Span span) {
  size_t at = span.begin;
  while (const std::optional<Number> next = NextNumber(text, span, at)) {
    if (!SameValue(one, *next)) return false;
    at = next->end;
  }
  return true;
}

// "2 + 3 = 5 apples": the number behind the last "=" of the sentence, where a formula stands before
// it. Nothing where there is none.
struct Result {
  std::optional<Number> number;
  bool only = false;  // the sentence names no other number
};
Result ResultOfFormula(std::string_view text, Span sentence) {
  const size_t equals = text.substr(0, sentence.end).rfind('=');
  if (equals == kNowhere || equals < sentence.begin) return {};
  const std::optional<Number> number = NextNumber(text, sentence, equals + 1);
  if (!number || !LeadsToNumber(text.substr(equals + 1, number->begin - equals - 1))) return {};
  const std::string_view after = text.substr(number->end, sentence.end - number->end);
  const bool clear = number->clear && !IsFormula(after) && !GoesOn(after, false) &&
                     !IsOpen(after) && !IsJoined(text, sentence, *number);
  static const RE2* formula = new RE2(
      R"((?i)(?:[-$(\\]*(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)\s?\\?%?[)$]*(?:\s*[a-z/]{2,}){0,2}\s*(?:[-+*/×÷·=−]|\bx\b|\\(?:times|cdot|div)\b)\s*)+$)");
  re2::StringPiece run;
  const std::string_view before = text.substr(sentence.begin, equals + 1 - sentence.begin);
  if (!clear || !formula->Match(before, 0, before.size(), RE2::UNANCHORED, &run, 1)) return {};
  const size_t run_begin = static_cast<size_t>(run.data() - text.data());
  const bool only = AllAre(*number, text, {sentence.begin, run_begin}) &&
                    AllAre(*number, text, {number->end, sentence.end});
  return {number, only};
}

Claim ToClaim(const Result& result) {
  return result.only ? Claim{Says::kNumber, result.number->found} : Claim{Says::kConflict, {}};
}

// The number that stands at `number`, with what follows it taken into account.
Claim ClaimOf(std::string_view text, Span sentence, const Number& number) {
  const std::string_view after = text.substr(number.end, sentence.end - number.end);
  const Result result = ResultOfFormula(text, sentence);
  if (IsFormula(after)) return ToClaim(result);
  // "1200 feet is out of reach by 1200 - 1000 = 200 feet": which one is meant?
  if (result.number && !SameValue(number, *result.number)) return {Says::kConflict, {}};
  const bool clear =
      number.clear && !GoesOn(after, false) && !IsOpen(after) && !IsJoined(text, sentence, number);
  return clear ? Claim{Says::kNumber, number.found} : Claim{Says::kConflict, {}};
}

// What is behind a denial: "not 5 but 6", "not 5; it is 6".
Claim Instead(std::string_view text, Span sentence, const Number& denied) {
  static const RE2* turn = new RE2(
      R"((?i)^[*_$})\]"']*(?:\s+[a-z]+)?\s*[,;:.—–-]*\s*(?:(?:but|rather|instead|it|it's|is|actually)\b[\s,:]*)+[$\\({*_-]*$)");
  const Span line{denied.end, std::min(text.find('\n', denied.end), sentence.end + 60)};
  const Span rest{line.begin, std::min(line.end, text.size())};
  const std::optional<Number> next = NextNumber(text, rest, denied.end);
  if (!next) return {Says::kDenied, denied.found};
  const std::string_view between = text.substr(denied.end, next->begin - denied.end);
  if (!Finds(between, *turn)) return {Says::kDenied, denied.found};
  return ClaimOf(text, SentenceAt(text, next->found.begin), *next);
}

// What the sentence behind an announcement (or ####) says the answer is.
Claim ReadClaim(std::string_view text, Span sentence) {
  const std::optional<Number> first = NextNumber(text, sentence, sentence.begin);
  if (!first) return {};
  const size_t lead_end = std::max(first->found.begin, sentence.begin);
  const std::string_view before = text.substr(sentence.begin, lead_end - sentence.begin);
  if (IsDenied(before)) return Instead(text, sentence, *first);
  if (IsBound(before)) return {Says::kConflict, {}};
  // "She has 3 apples and buys 4, so 7": which one is meant?
  if (!LeadsToNumber(before) && !AllAre(*first, text, sentence))
    return ToClaim(ResultOfFormula(text, sentence));
  return ClaimOf(text, sentence, *first);
}

// ---- Where an answer stands -------------------------------------------------------------------

std::optional<Found> Named(std::optional<Found> found, std::string rule) {
  if (found) found->rule = std::move(rule);
  return found;
}

Span LineAt(std::string_view text, size_t begin) {
  return {begin, std::min(text.find('\n', begin), text.size())};
}

// What may stand beside a number that is the whole of a box: units, dollars, degrees.
bool IsDress(std::string_view text) {
  static const RE2* pattern = new RE2(
      R"((?:\\(?:text|mathrm|mbox|textbf|mathbf|left|right|circ|degree)\b|\\[,;!$ ]|[$~{}^\s°.]|[A-Za-z]+\.?)*)");
  return RE2::FullMatch(text, *pattern);
}

// The number that a box is, behind its last "=". Never one out of the middle of a formula:
// 2\sqrt{3} holds none.
std::optional<Found> InBox(std::string_view text, const Box& box) {
  const std::string_view inner = text.substr(box.inner_begin, box.inner_end - box.inner_begin);
  const size_t equals = inner.rfind('=');
  const size_t begin = box.inner_begin + (equals == kNowhere ? 0 : equals + 1);
  const std::optional<Number> number = NextNumber(text, {begin, box.inner_end}, begin);
  if (!number || number->found.begin < begin || !number->clear) return std::nullopt;
  const std::string_view before =
                             text.substr(box.inner_begin, number->found.begin - box.inner_begin),
                         after = text.substr(number->end, box.inner_end - number->end);
  const bool alone = IsDress(text.substr(begin, number->found.begin - begin)) && IsDress(after);
  if (!alone || IsDenied(before) || IsBound(before) || GoesOn(after, true)) return std::nullopt;
  return Named(number->found, "boxed");
}

// "If the answer is 5", "it is tempting to say that the answer is 5": nothing is claimed.
bool IsHypothetical(std::string_view before) {
  static const RE2* doubt = new RE2(
      R"((?i)\b(?:if|suppose|assume|assuming|whether|unless|tempting|mistake|mistakenly|might|could|incorrectly|wrongly|initially|why|wrong|trap|previously|first thought)\b(?:[^.!?\n]|\.\d)*$)");
  return Finds(before, *doubt);
}

struct Announcement {
  Claim claim;
  size_t void_until = 0;           // up to here nothing is claimed, by the reply's own words
  std::optional<Span> hypothesis;  // a sentence whose numbers count for nothing
};

// Where what the word "answer" at `at` announces begins, or kNowhere.
size_t AnnouncedFrom(std::string_view text, size_t at) {
  static const RE2* verb = new RE2(
      R"(^(?:s?[*_ ]*(?::|=|(?:is|are|was|will be|would be|should be|must be|comes to|equals)\b|isn't|isn’t|cannot\b|can't)))");
  re2::StringPiece match;
  const std::string_view rest = text.substr(at, 40);
  if (!verb->Match(rest, 0, rest.size(), RE2::ANCHOR_START, &match, 1)) return kNowhere;
  const std::string_view said(match.data(), match.size());
  // The denial belongs to what is announced.
  const bool denies = Contains(said, "n't") || Contains(said, "n’t") || said.ends_with("cannot");
  if (denies) return at + said.find_first_not_of("s*_ ");
  return std::min(text.find_first_not_of(":= *\r\n", at + said.size()), text.size());
}

// "Answer: 42", "the answer is 42": the last announcement with a number behind it.
Announcement Announced(std::string_view text) {
  static constexpr int kMost = 1000;
  Announcement announcement;
  std::vector<std::string> denied;
  size_t at = text.size();
  for (int i = 0; i < kMost && at > 0; ++i) {
    at = text.rfind("nswer", at - 1);
    if (at == kNowhere) break;
    const size_t begin = AnnouncedFrom(text, at + 5);
    if (begin == kNowhere) continue;
    const Span sentence = SentenceAt(text, begin);
    Claim claim = ReadClaim(text, sentence);
    if (claim.says == Says::kNothing) continue;
    if (IsHypothetical(Before(text, at, 100))) {
      if (!announcement.hypothesis) announcement.hypothesis = Span{at, sentence.end};
      continue;
    }
    if (claim.says == Says::kDenied) {
      denied.push_back(claim.found.text);
      announcement.void_until = std::max(announcement.void_until, claim.found.end);
      continue;
    }
    const bool was_denied =
        std::find(denied.begin(), denied.end(), claim.found.text) != denied.end();
    if (was_denied) claim = {Says::kConflict, {}};
    if (claim.says == Says::kNumber) claim.found.rule = "answer_announced";
    announcement.claim = std::move(claim);
    break;
  }
  return announcement;
}

// GSM8K's form: "#### 42".
Claim AfterHashes(std::string_view text) {
  const size_t at = text.rfind("####");
  if (at == kNowhere) return {};
  Claim claim = ReadClaim(text, LineAt(text, at + 4));
  if (claim.says == Says::kDenied) claim = {Says::kConflict, {}};
  claim.found.rule = "hash_marks";
  return claim;
}

// The last number of a line, unless the line leaves open which it is.
Claim LastIn(std::string_view text, Span line, const Announcement& announcement) {
  std::optional<Number> last, before_last;
  bool denied = false;
  for (size_t at = line.begin; at < line.end;) {
    std::optional<Number> number = NextNumber(text, line, at);
    if (!number) break;
    at = number->end;
    const std::optional<Span>& hypothesis = announcement.hypothesis;
    if (hypothesis && number->begin >= hypothesis->begin && number->end <= hypothesis->end)
      continue;
    if (IsDenied(Before(text, number->found.begin, 60))) {
      denied = true;
      continue;
    }
    before_last = std::exchange(last, std::move(number));
  }
  if (!last) return {denied ? Says::kConflict : Says::kNothing, {}};
  const std::string_view after = text.substr(last->end, line.end - last->end);
  if (!last->clear || GoesOn(after, false)) return {Says::kConflict, {}};
  if (before_last) {
    static const RE2* open = new RE2(
        R"((?i)^(?:[*_$})\]]*(?:\s+[a-z%°]+){0,2}[,(]?\s+or\s+(?:(?:maybe|possibly|perhaps|even|about|around)\s+)?[\s$\\({*_-]*|[.,:/])$)");
    const std::string_view between = text.substr(before_last->end, last->begin - before_last->end);
    if (Finds(between, *open) && !SameValue(*before_last, *last)) return {Says::kConflict, {}};
  }
  return {Says::kNumber, last->found};
}

// Where a line that ends at `end` begins; of a long one, the last few KiB, from a blank on.
size_t PieceBegin(std::string_view text, size_t end) {
  constexpr size_t kPiece = 4096;
  const size_t floor = end > kPiece ? end - kPiece : 0;
  const size_t newline = text.substr(0, end).rfind('\n');
  if (newline != kNowhere && newline + 1 > floor) return newline + 1;
  if (floor == 0) return 0;
  const size_t blank = text.substr(0, floor).rfind(' ');
  return blank == kNowhere || floor - blank > kPiece ? floor : blank;
}

// Lines from the last one back, so that a long reply is not read whole.
std::optional<Found> LastNumber(std::string_view text, const Announcement& announcement) {
  for (size_t end = text.size(); end > announcement.void_until;) {
    const size_t begin = PieceBegin(text, end);
    const Span piece{std::max(begin, announcement.void_until), end};
    Claim claim = LastIn(text, piece, announcement);
    if (claim.says == Says::kNumber) return Named(std::move(claim.found), "last_number");
    if (claim.says == Says::kConflict) return std::nullopt;
    end = begin > 0 && text[begin - 1] == '\n' ? begin - 1 : begin;
  }
  return std::nullopt;
}

// "The answer is 5. No wait, 6.": what a reply says instead, soon after it said `found`.
std::optional<Found> Corrected(std::string_view text, const Found& found) {
  static const RE2* pattern = new RE2(
      R"((?i)(?:\b(?:no|wait|actually|sorry|oops|correction|i meant?|scratch that|make that|on second thoughts?|hmm+|rather)\b[\s,.:;!…—–*-]*)+)"
      R"((?:(?:so|the|answer|that|this|it|that's|it's|is|was|must be|should be|would be|be|now|really|instead)\b[\s,:]*)*[$\\({*_"'-]*$)");
  const Span rest{found.end, std::min(text.size(), found.end + 20000)};
  std::optional<Found> corrected;
  for (size_t at = rest.begin; at < rest.end;) {
    const std::optional<Number> number = NextNumber(text, rest, at);
    if (!number) break;
    const size_t from = std::max(at, number->begin > 100 ? number->begin - 100 : 0);
    at = number->end;
    const Span sentence = SentenceAt(text, number->found.begin);
    static const RE2* ends = new RE2(R"(^[*_$})\]"']*(?:\s+[a-z]+)?[*_]*[.!]?\s*$)");
    const bool settled = Finds(text.substr(number->end, sentence.end - number->end), *ends);
    if (settled && Finds(text.substr(from, number->begin - from), *pattern))
      corrected = Named(number->found, found.rule + "_corrected");
  }
  return corrected;
}

struct Reading {
  std::optional<Found> strict;  // in one of the forms that are asked for
  std::optional<Found> lenient;
};

Reading ReadReply(std::string_view text) {
  const std::vector<Box> boxes = FindBoxes(text);
  const Claim hashes = AfterHashes(text);
  Announcement announcement;
  std::optional<Found> strict;
  if (hashes.says != Says::kNothing) {
    if (hashes.says == Says::kNumber) strict = hashes.found;
  } else if (!boxes.empty()) {
    strict = InBox(text, boxes.back());
  } else {
    announcement = Announced(text);
    if (announcement.claim.says == Says::kNumber) strict = announcement.claim.found;
  }
  // A form that holds no number, or several, is the answer all the same: no other number is looked
  // for then.
  const bool formed =
      hashes.says != Says::kNothing || !boxes.empty() || announcement.claim.says != Says::kNothing;
  if (!formed) return {std::nullopt, LastNumber(text, announcement)};
  if (!strict || strict->rule != "answer_announced") return {strict, strict};
  const std::optional<Found> corrected = Corrected(text, *strict);
  return {strict, corrected ? corrected : strict};
}

}  // namespace

Extractor NumberExtractor() {
  Extractor extractor;
  extractor.name = "number";
  extractor.about = "the number after ####, in the last box, after \"answer\", or the last one";
  extractor.options = {"mode"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("number", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    return BoundExtractor([mode](std::string_view text, const Problem&) {
      const Reading reading = ReadReply(text);
      return ToExtraction(reading.strict, reading.lenient, mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
