// The lexicon. Scales are exact.
#include "graders/algebra/units.h"

#include <unordered_map>
#include <vector>

#include "harness/text.h"

namespace assay::algebra {
namespace {

struct Entry {
  std::string_view base;
  std::string_view scale;
  int power = 1;
};

const std::unordered_map<std::string_view, Entry>& Lexicon() {
  static const std::unordered_map<std::string_view, Entry> table = {
      {"m", {"m", "1"}},
      {"meter", {"m", "1"}},
      {"metre", {"m", "1"}},
      {"cm", {"m", "1/100"}},
      {"centimeter", {"m", "1/100"}},
      {"centimetre", {"m", "1/100"}},
      {"mm", {"m", "1/1000"}},
      {"millimeter", {"m", "1/1000"}},
      {"millimetre", {"m", "1/1000"}},
      {"dm", {"m", "1/10"}},
      {"km", {"m", "1000"}},
      {"kilometer", {"m", "1000"}},
      {"kilometre", {"m", "1000"}},
      {"nm", {"m", "1/1000000000"}},
      {"in", {"m", "127/5000"}},
      {"inch", {"m", "127/5000"}},
      {"inche", {"m", "127/5000"}},
      {"ft", {"m", "381/1250"}},
      {"foot", {"m", "381/1250"}},
      {"feet", {"m", "381/1250"}},
      {"yd", {"m", "1143/1250"}},
      {"yard", {"m", "1143/1250"}},
      {"mi", {"m", "201168/125"}},
      {"mile", {"m", "201168/125"}},
      {"g", {"g", "1"}},
      {"gram", {"g", "1"}},
      {"gm", {"g", "1"}},
      {"kg", {"g", "1000"}},
      {"kilogram", {"g", "1000"}},
      {"mg", {"g", "1/1000"}},
      {"milligram", {"g", "1/1000"}},
      {"ton", {"ton", "1"}},
      {"tonne", {"g", "1000000"}},
      {"lb", {"lb", "1"}},
      {"pound", {"lb", "1"}},
      {"oz", {"lb", "1/16"}},
      {"ounce", {"lb", "1/16"}},
      {"s", {"s", "1"}},
      {"sec", {"s", "1"}},
      {"second", {"s", "1"}},
      {"min", {"s", "60"}},
      {"minute", {"s", "60"}},
      {"h", {"s", "3600"}},
      {"hr", {"s", "3600"}},
      {"hour", {"s", "3600"}},
      {"ms", {"s", "1/1000"}},
      {"millisecond", {"s", "1/1000"}},
      {"day", {"s", "86400"}},
      {"week", {"s", "604800"}},
      {"month", {"month", "1"}},
      {"year", {"month", "12"}},
      {"yr", {"month", "12"}},
      {"decade", {"month", "120"}},
      {"l", {"m", "1/1000", 3}},
      {"liter", {"m", "1/1000", 3}},
      {"litre", {"m", "1/1000", 3}},
      {"ml", {"m", "1/1000000", 3}},
      {"milliliter", {"m", "1/1000000", 3}},
      {"gallon", {"gallon", "1"}},
      {"gal", {"gallon", "1"}},
      {"quart", {"gallon", "1/4"}},
      {"pint", {"gallon", "1/8"}},
      {"cup", {"gallon", "1/16"}},
      {"mph", {"mph", "1"}},
      {"kph", {"kph", "1"}},
      {"kmh", {"kph", "1"}},
      {"dollar", {"$", "1"}},
      {"usd", {"$", "1"}},
      {"cent", {"$", "1/100"}},
      {"buck", {"$", "1"}},
      {"penny", {"$", "1/100"}},
      {"pennie", {"$", "1/100"}},
      {"eur", {"euro", "1"}},
      {"euro", {"euro", "1"}},
      {"gbp", {"gbp", "1"}},
      {"cny", {"cny", "1"}},
      {"yuan", {"cny", "1"}},
      {"rupee", {"rupee", "1"}},
      {"n", {"N", "1"}},
      {"newton", {"N", "1"}},
      {"j", {"J", "1"}},
      {"joule", {"J", "1"}},
      {"kj", {"J", "1000"}},
      {"w", {"W", "1"}},
      {"watt", {"W", "1"}},
      {"kw", {"W", "1000"}},
      {"v", {"V", "1"}},
      {"volt", {"V", "1"}},
      {"a", {"A", "1"}},
      {"amp", {"A", "1"}},
      {"hz", {"Hz", "1"}},
      {"hertz", {"Hz", "1"}},
      {"khz", {"Hz", "1000"}},
      {"pa", {"Pa", "1"}},
      {"kpa", {"Pa", "1000"}},
      {"k", {"K", "1"}},
      {"kelvin", {"K", "1"}},
      {"mol", {"mol", "1"}},
      {"mole", {"mol", "1"}},
      {"ev", {"eV", "1"}},
      {"rad", {"", "1"}},
      {"radian", {"", "1"}},
      {"acre", {"acre", "1"}},
      {"unit", {"", "1"}},
      {"ly", {"ly", "1"}},
      {"ohm", {"ohm", "1"}},
      {"coulomb", {"C", "1"}},
      {"erg", {"erg", "1"}},
  };
  return table;
}

std::string Singular(std::string_view word) {
  std::string lower = ToLowerAscii(word);
  while (!lower.empty() && lower.back() == '.') lower.pop_back();
  if (Lexicon().count(lower)) return lower;
  if (lower.size() > 2 && lower.back() == 's') lower.pop_back();
  return lower;
}

mpq_class PowerOf(const mpq_class& base, int exponent) {
  mpq_class result = 1;
  for (int i = 0; i < std::abs(exponent); ++i) result *= base;
  return exponent < 0 ? mpq_class(1 / result) : result;
}

void Multiply(std::string_view word, int exponent, Unit* unit) {
  const std::string name = Singular(word);
  const auto found = Lexicon().find(name);
  if (found == Lexicon().end()) {
    unit->known = false;
    unit->bases[name] += exponent;
    return;
  }
  unit->scale *= PowerOf(mpq_class(std::string(found->second.scale)), exponent);
  if (!found->second.base.empty())
    unit->bases[std::string(found->second.base)] += exponent * found->second.power;
}

bool IsLetterOrDot(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '\'' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool IsBareUnit(std::string_view word) {
  if (word.size() < 2) return false;
  const std::string lower = ToLowerAscii(word);
  // Spelled as units only: "in" is a word, "ms" and "kg" are not products that people write.
  if (lower == "ev" || lower == "pa" || lower == "ly" || lower == "gm" || lower == "mi")
    return false;
  if (word.size() <= 2 && lower != word) return false;
  return Lexicon().count(Singular(word)) > 0;
}

Unit ReadUnit(std::string_view text) {
  Unit unit;
  int sign = 1;
  int pending = 1;  // "square inches": the power comes first
  std::string last;
  int last_exponent = 1;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '/') {
      sign = -1;
      ++at;
      continue;
    }
    if (!IsLetterOrDot(c)) {
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < text.size() && IsLetterOrDot(text[at])) ++at;
    const std::string word = ToLowerAscii(text.substr(begin, at - begin));
    if (word == "per") {
      sign = -1;
      continue;
    }
    if ((word == "squared" || word == "cubed") && !last.empty()) {  // "feet squared"
      Multiply(last, last_exponent * (word == "squared" ? 1 : 2), &unit);
      last.clear();
      continue;
    }
    if (word == "square" || word == "sq" || word == "sq." || word == "cubic" || word == "cu" ||
        word == "squared" || word == "cubed") {
      pending = word[0] == 's' ? 2 : 3;
      continue;
    }
    if (word == "of" || word == "the" || word == "a" || word == "each") continue;
    if (word == "mph" || word == "kph" || word == "kmh") {
      Multiply(word == "mph" ? "mile" : "km", sign, &unit);
      Multiply("hour", -sign, &unit);
      continue;
    }
    int exponent = pending;
    pending = 1;
    size_t digits = at;
    if (digits < text.size() && text[digits] == '^') ++digits;
    size_t end = digits;
    while (end < text.size() && (text[end] == '-' || (text[end] >= '0' && text[end] <= '9'))) ++end;
    if (const auto value = ParseInt(text.substr(digits, end - digits));
        value && *value > -10 && *value < 10) {
      exponent *= static_cast<int>(*value);
      at = end;
    }
    last = word;
    last_exponent = sign * exponent;
    Multiply(word, last_exponent, &unit);
  }
  std::erase_if(unit.bases, [](const auto& entry) { return entry.second == 0; });
  unit.scale.canonicalize();
  return unit;
}

std::optional<mpq_class> MultiplierWord(std::string_view word) {
  static const std::unordered_map<std::string_view, std::string_view> table = {
      {"thousand", "1000"},
      {"million", "1000000"},
      {"billion", "1000000000"},
      {"trillion", "1000000000000"},
      {"hundred", "100"},
      {"dozen", "12"},
      {"thousands", "1000"},
      {"millions", "1000000"},
      {"billions", "1000000000"},
      {"halves", "1/2"},
      {"thirds", "1/3"},
      {"fourths", "1/4"},
      {"fifths", "1/5"},
      {"sixths", "1/6"},
      {"sevenths", "1/7"},
      {"eighths", "1/8"},
      {"ninths", "1/9"},
      {"tenths", "1/10"},
      {"twelfths", "1/12"},
      {"hundredths", "1/100"},
      {"thousandths", "1/1000"},
      {"millionths", "1/1000000"},
      {"billionths", "1/1000000000"}};
  const auto found = table.find(word);
  if (found == table.end()) return std::nullopt;
  return mpq_class(std::string(found->second));
}

}  // namespace assay::algebra
