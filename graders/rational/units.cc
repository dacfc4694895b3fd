// Units are listed, not guessed: 5t is five times t, and 3 dozen is not 3.
#include "graders/rational/units.h"

#include <algorithm>
#include <array>
#include <vector>

#include "harness/text.h"

namespace assay {
namespace {

struct Named {
  std::string_view spelling, unit;
};
constexpr std::array<Named, 96> kUnits = {{
    {"mm", "mm"},           {"millimeter", "mm"},
    {"millimetre", "mm"},   {"cm", "cm"},
    {"centimeter", "cm"},   {"centimetre", "cm"},
    {"meter", "m"},         {"metre", "m"},
    {"km", "km"},           {"kilometer", "km"},
    {"kilometre", "km"},    {"in", "inch"},
    {"inch", "inch"},       {"inches", "inch"},
    {"ft", "foot"},         {"foot", "foot"},
    {"feet", "foot"},       {"yd", "yard"},
    {"yard", "yard"},       {"mile", "mile"},
    {"mi", "mile"},         {"mph", "mph"},
    {"kg", "kg"},           {"kilogram", "kg"},
    {"gram", "g"},          {"mg", "mg"},
    {"milligram", "mg"},    {"lb", "pound"},
    {"lbs", "pound"},       {"pound", "pound"},
    {"oz", "ounce"},        {"ounce", "ounce"},
    {"ton", "ton"},         {"ml", "ml"},
    {"liter", "l"},         {"litre", "l"},
    {"gallon", "gallon"},   {"cup", "cup"},
    {"quart", "quart"},     {"pint", "pint"},
    {"sec", "second"},      {"second", "second"},
    {"min", "minute"},      {"minute", "minute"},
    {"hr", "hour"},         {"hrs", "hour"},
    {"hour", "hour"},       {"day", "day"},
    {"week", "week"},       {"month", "month"},
    {"year", "year"},       {"yr", "year"},
    {"dollar", "dollar"},   {"usd", "dollar"},
    {"cent", "cent"},       {"euro", "euro"},
    {"pence", "pence"},     {"penny", "penny"},
    {"rupee", "rupee"},     {"yen", "yen"},
    {"yuan", "yuan"},       {"degree", "degree"},
    {"deg", "degree"},      {"radian", "radian"},
    {"rad", "radian"},      {"unit", "unit"},
    {"newton", "newton"},   {"joule", "joule"},
    {"watt", "watt"},       {"volt", "volt"},
    {"ohm", "ohm"},         {"hertz", "hertz"},
    {"hz", "hertz"},        {"kelvin", "kelvin"},
    {"mole", "mole"},       {"mol", "mole"},
    {"pascal", "pascal"},   {"acre", "acre"},
    {"bit", "bit"},         {"byte", "byte"},
    {"people", "person"},   {"person", "person"},
    {"student", "student"}, {"way", "way"},
    {"child", "child"},     {"children", "child"},
    {"man", "man"},         {"men", "man"},
    {"woman", "woman"},     {"women", "woman"},
    {"boy", "boy"},         {"girl", "girl"},
    {"square", "square"},   {"triangle", "triangle"},
    {"point", "point"},
}};
// Only in \text{}: outside of it one letter is a variable.
constexpr std::array<Named, 8> kLetterUnits = {{{"m", "m"},
                                                {"g", "g"},
                                                {"s", "second"},
                                                {"h", "hour"},
                                                {"l", "l"},
                                                {"n", "newton"},
                                                {"j", "joule"},
                                                {"w", "watt"}}};

struct Scale {
  std::string_view word;
  int exponent;
};
constexpr std::array<Scale, 5> kScales = {
    {{"hundred", 2}, {"thousand", 3}, {"million", 6}, {"billion", 9}, {"trillion", 12}}};

// Words that change what the number means, or say that it is not the whole answer.
constexpr std::array<std::string_view, 42> kNoUnits = {
    "or",         "and",     "not",     "more",      "less",  "than",     "least",
    "most",       "about",   "dozen",   "pair",      "score", "gross",    "half",
    "halves",     "third",   "quarter", "fourth",    "fifth", "tenth",    "hundredth",
    "thousandth", "time",    "if",      "when",      "for",   "where",    "only",
    "to",         "is",      "of",      "base",      "mod",   "plus",     "minus",
    "negative",   "squared", "cubed",   "factorial", "over",  "infinity", "undefined"};

std::string Singular(std::string_view word) {
  if (word.size() > 3 && word.ends_with("s") && !word.ends_with("ss")) word.remove_suffix(1);
  return std::string(word);
}

template <size_t N>
std::optional<std::string> LookUp(const std::array<Named, N>& table, std::string_view word) {
  for (const Named& entry : table) {
    if (entry.spelling == word) return std::string(entry.unit);
  }
  return std::nullopt;
}

bool IsNoun(std::string_view word) {
  const bool letters =
      std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return letters && word.size() >= 3 &&
         std::find(kNoUnits.begin(), kNoUnits.end(), word) == kNoUnits.end() &&
         std::find(kNoUnits.begin(), kNoUnits.end(), Singular(word)) == kNoUnits.end();
}

// One unit word: "inches", "cm", "cm^2".
std::optional<UnitReading> ReadWord(std::string_view word, bool from_text) {
  int power = 1;
  if (word.size() > 2 && word[word.size() - 2] == '^' &&
      (word.back() == '2' || word.back() == '3')) {
    power = word.back() - '0';
    word.remove_suffix(2);
  }
  std::optional<std::string> unit = LookUp(kUnits, word);
  if (!unit) unit = LookUp(kUnits, Singular(word));
  if (!unit && from_text) unit = LookUp(kLetterUnits, word);
  UnitReading reading;
  reading.known = unit.has_value();
  if (!unit && !(from_text && IsNoun(word))) return std::nullopt;
  reading.unit = WithPower(unit ? *unit : Singular(word), power);
  return reading;
}

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : Split(text, ' ')) {
    if (!Trim(word).empty()) words.emplace_back(Trim(word));
  }
  return words;
}

// "miles per hour", "m/s", "square inches", "sq cm": the words behind scales.
std::optional<UnitReading> ReadCompound(std::vector<std::string> words, bool from_text) {
  int power = 1;
  if (words.size() == 2 && (words[0] == "square" || words[0] == "sq" || words[0] == "sq."))
    power = 2;
  if (words.size() == 2 && (words[0] == "cubic" || words[0] == "cu")) power = 3;
  if (power > 1) words.erase(words.begin());
  const bool rate = words.size() == 3 && words[1] == "per";
  if (words.size() != 1 && !rate) return std::nullopt;
  std::optional<UnitReading> unit = ReadWord(words[0], from_text);
  if (!unit) return std::nullopt;
  unit->unit = WithPower(unit->unit, power);
  if (!rate) return unit;
  const std::optional<UnitReading> per = ReadWord(words[2], from_text);
  if (!per) return std::nullopt;
  unit->unit += "/" + per->unit;
  unit->known = unit->known && per->known;
  return unit;
}

}  // namespace

std::string WithPower(std::string unit, int power) {
  return power == 1 ? unit : unit + "^" + std::to_string(power);
}

std::optional<UnitReading> ReadUnit(std::string_view text, bool from_text) {
  std::string lower = ToLowerAscii(Trim(text));
  while (lower.ends_with(".")) lower.pop_back();
  std::vector<std::string> words = WordsOf(ReplaceAll(lower, "/", " per "));
  UnitReading reading;
  while (!words.empty()) {
    const auto scale = std::find_if(kScales.begin(), kScales.end(),
                                    [&](const Scale& s) { return s.word == words[0]; });
    if (scale == kScales.end()) break;
    reading.scale_exponent += scale->exponent;
    words.erase(words.begin());
  }
  if (reading.scale_exponent > 24) return std::nullopt;
  if (words.empty()) return reading.scale_exponent > 0 ? std::optional(reading) : std::nullopt;
  if (words.size() == 1 && (words[0] == "percent" || words[0] == "%" || words[0] == "\\%")) {
    reading.percent = true;
    return reading;
  }
  std::optional<UnitReading> unit = ReadCompound(std::move(words), from_text);
  if (unit) unit->scale_exponent = reading.scale_exponent;
  return unit;
}

}  // namespace assay
