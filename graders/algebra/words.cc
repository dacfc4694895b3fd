// Number words by the grammar of English: a scale never follows a smaller one, a unit never a unit.
#include "graders/algebra/words.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "graders/algebra/units.h"
#include "harness/text.h"

namespace assay::algebra {
namespace {

constexpr std::array<std::string_view, 20> kSmall = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 10> kTens = {
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};

template <size_t N>
std::optional<long> IndexOf(std::string_view word, const std::array<std::string_view, N>& words) {
  if (word.empty()) return std::nullopt;
  for (size_t i = 0; i < N; ++i)
    if (words[i] == word) return static_cast<long>(i);
  return std::nullopt;
}

std::optional<long> ScaleOf(std::string_view word) {
  if (word == "thousand") return 1000;
  if (word == "million") return 1000000;
  if (word == "billion") return 1000000000;
  if (word == "trillion") return 1000000000000;
  return std::nullopt;
}

// "half", "thirds": what one of them is a part of.
std::optional<long> PartOf(std::string_view word) {
  static constexpr std::array<std::string_view, 11> kParts = {
      "", "", "half", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"};
  if (word == "halves") return 2;
  if (word == "quarter" || word == "quarters") return 4;
  if (word.ends_with('s')) word.remove_suffix(1);
  return IndexOf(word, kParts);
}

// Blanks divide words, and so do hyphens between letters.
std::vector<std::string> WordsOf(std::string_view text) {
  std::string plain(text);
  for (size_t i = 1; i + 1 < plain.size(); ++i) {
    const auto letter = [&](size_t at) { return plain[at] >= 'a' && plain[at] <= 'z'; };
    if (plain[i] == '-' && letter(i - 1) && letter(i + 1)) plain[i] = ' ';
  }
  std::vector<std::string> words;
  for (const std::string_view word : Split(plain, ' '))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

// Reads a whole number from `*at` on and moves it behind; nothing where none begins there.
std::optional<long> ReadNumber(const std::vector<std::string>& words, size_t* at) {
  long total = 0;       // of the scales read
  long group = 0;       // below the next scale
  long room = 1000000;  // what may still follow in this group: below it
  long last_scale = 1000000000000000;
  bool any = false;
  size_t i = *at;
  for (; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "and") {  // "one hundred and five"
      const bool joins = any && (room == 100 || room == 1000) && i + 1 < words.size() &&
                         (IndexOf(words[i + 1], kSmall) || IndexOf(words[i + 1], kTens));
      if (!joins) break;
      continue;
    }
    if (const auto small = IndexOf(word, kSmall)) {
      if (*small >= room || room < 10 || (*small >= 10 && room < 100)) return std::nullopt;
      group += *small;
      room = 0;
    } else if (const auto ten = IndexOf(word, kTens)) {
      if (room < 100) return std::nullopt;
      group += 10 * *ten;
      room = 10;
    } else if (word == "hundred") {
      if (group >= 100 || room > 1000000 || (any && group == 0)) return std::nullopt;
      group = (group == 0 ? 1 : group) * 100;
      room = 100;
    } else if (const auto scale = ScaleOf(word)) {
      if (*scale >= last_scale || (any && group == 0)) return std::nullopt;
      total += (group == 0 ? 1 : group) * *scale;
      last_scale = *scale;
      group = 0;
      room = 1000;
    } else {
      break;
    }
    any = true;
  }
  if (!any) return std::nullopt;
  *at = i;
  return total + group;
}

std::optional<mpq_class> DecimalOf(std::string_view text) {
  const std::string plain = ReplaceAll(text, ",", "");
  const size_t point = plain.find('.');
  std::string digits = plain;
  if (point != std::string::npos) digits.erase(point, 1);
  const bool fits = !digits.empty() && digits.size() < 40 &&
                    digits.find_first_not_of("0123456789") == std::string::npos;
  if (!fits) return std::nullopt;
  mpz_class below = 1;
  if (point != std::string::npos) mpz_ui_pow_ui(below.get_mpz_t(), 10, plain.size() - point - 1);
  mpq_class value(mpz_class(digits, 10), below);
  value.canonicalize();
  return value;
}

// "1 hour 30 minutes", "5 ft 6 in", "2 hours, 5 minutes and 10 seconds".
Expr MeasureInParts(const std::vector<std::string>& words) {
  mpq_class total = 0;  // in base units
  std::optional<Unit> last;
  std::string last_name;
  int parts = 0;
  for (size_t i = 0; i < words.size();) {
    if (words[i] == "and" && parts > 0) ++i;
    if (i + 1 >= words.size()) return nullptr;
    const std::optional<mpq_class> value = DecimalOf(words[i]);
    const Unit unit = ReadUnit(words[i + 1]);
    if (!value || !unit.known || unit.bases.size() != 1) return nullptr;
    if (last && (last->bases != unit.bases || last->scale <= unit.scale)) return nullptr;
    total += *value * unit.scale;
    last = unit;
    last_name = words[i + 1];
    ++parts;
    i += 2;
  }
  if (parts < 2) return nullptr;
  return MakeNode(Kind::kQuantity, {MakeNumber(mpq_class(total / last->scale))}, last_name);
}

// "25 degrees celsius", "77 fahrenheit".
Expr Temperature(const std::vector<std::string>& words) {
  if (words.size() < 2 || words.size() > 3) return nullptr;
  if (words.size() == 3 && words[1] != "degrees" && words[1] != "degree") return nullptr;
  std::string unit = words.back();
  if (unit == "centigrade") unit = "celsius";
  if (words.size() == 3 && unit == "c") unit = "celsius";
  if (words.size() == 3 && unit == "f") unit = "fahrenheit";
  if (unit != "celsius" && unit != "fahrenheit") return nullptr;
  std::string_view digits = words[0];
  const bool negative = digits.starts_with("-");
  if (negative) digits.remove_prefix(1);
  const std::optional<mpq_class> value = DecimalOf(digits);
  if (!value) return nullptr;
  return MakeNode(Kind::kQuantity, {MakeNumber(negative ? mpq_class(-*value) : *value)}, unit);
}

// "twenty-one", "two thirds", "three apples", "minus five".
Expr CountInWords(const std::vector<std::string>& words) {
  size_t at = 0;
  const bool negative = !words.empty() && (words[0] == "minus" || words[0] == "negative");
  if (negative) ++at;
  std::optional<long> count = ReadNumber(words, &at);
  if (!count && at == 0 && words.size() == 1 && words[0] == "half") {
    count = 1;  // "a half", the article gone
  }
  if (!count) return nullptr;
  const auto signed_value = [&](mpq_class value) {
    return MakeNumber(negative ? mpq_class(-value) : value);
  };
  if (at == words.size()) return signed_value(mpq_class(*count));
  if (at + 1 != words.size()) return nullptr;
  const std::string& last = words[at];
  if (const auto part = PartOf(last)) {
    const bool agrees = (*count == 1) == !last.ends_with('s');  // "one third", "two thirds"
    mpq_class value(*count, *part);
    value.canonicalize();
    return agrees ? signed_value(value) : nullptr;
  }
  if (last == "percent") return MakeNode(Kind::kPercent, {signed_value(*count)});
  if (last == "degrees" || last == "degree") return MakeNode(Kind::kDegree, {signed_value(*count)});
  // A noun: what is counted. Words that do something to the number, or leave it open, are none.
  static constexpr std::array<std::string_view, 14> kNoNouns = {
      "of",   "or",    "and",  "times", "more",    "less",  "fewer",
      "plus", "minus", "over", "dozen", "squared", "cubed", "factorial"};
  const bool letters = last.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
  const bool noun = letters && last.size() > 2 && !MultiplierWord(last) &&
                    std::find(kNoNouns.begin(), kNoNouns.end(), last) == kNoNouns.end();
  return noun ? MakeNode(Kind::kQuantity, {signed_value(*count)}, last) : nullptr;
}

}  // namespace

Expr ValueInWords(std::string_view text) {
  if (text.size() > 200) return nullptr;
  const std::vector<std::string> words = WordsOf(text);
  if (words.empty()) return nullptr;
  if (Expr measure = MeasureInParts(words)) return measure;
  if (Expr temperature = Temperature(words)) return temperature;
  return CountInWords(words);
}

bool IsMeasureInParts(std::string_view words) {
  return words.size() <= 200 && MeasureInParts(WordsOf(words)) != nullptr;
}

bool MayNameNumber(std::string_view text) {
  constexpr size_t kMostWords = 12;  // a longer text is an explanation, not a number
  const std::vector<std::string> words = WordsOf(text.substr(0, 400));
  if (text.size() > 400 || words.size() > kMostWords) return false;
  for (const std::string& word : words) {
    if (IndexOf(word, kSmall) || IndexOf(word, kTens) || ScaleOf(word) || PartOf(word)) return true;
    if (word == "hundred" || word == "dozen" || word == "once" || word == "twice") return true;
  }
  return false;
}

std::optional<mpq_class> OrdinalNumber(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 12 || digits == text.size()) return std::nullopt;
  std::string suffix;
  for (const char c : text.substr(digits))
    if (std::string_view("^{}\\ ").find(c) == std::string_view::npos) suffix += c;
  for (const std::string_view macro : {"textsuperscript", "text", "mathrm", "rm"}) {
    if (suffix.starts_with(macro)) suffix.erase(0, macro.size());
  }
  const std::string_view number = text.substr(0, digits);
  const bool teen = digits > 1 && number[digits - 2] == '1';
  std::string_view wanted = "th";
  if (!teen && number.back() == '1') wanted = "st";
  if (!teen && number.back() == '2') wanted = "nd";
  if (!teen && number.back() == '3') wanted = "rd";
  if (suffix != wanted) return std::nullopt;
  return mpq_class(mpz_class(std::string(number), 10));
}

}  // namespace assay::algebra
