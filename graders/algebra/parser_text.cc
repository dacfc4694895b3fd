// Decimal texts as exact numbers; words by their looks.
#include "graders/algebra/parser_text.h"

#include <unordered_set>

namespace assay::algebra {

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool AllLetters(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}
bool AllUpper(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

mpq_class PowerOfTen(size_t exponent) {
  mpz_class power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, exponent);
  return mpq_class(power);
}

mpz_class IntegerOf(const std::string& digits) {
  mpz_class value;
  if (mpz_set_str(value.get_mpz_t(), digits.c_str(), 10) != 0) value = 0;
  return value;
}

mpq_class DecimalValue(std::string_view digits) {
  const size_t point = digits.find('.');
  std::string all(digits.substr(0, point));
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : digits.substr(point + 1);
  all += fraction;
  if (all.empty()) all = "0";
  mpq_class value(IntegerOf(all));
  if (!fraction.empty()) value /= PowerOfTen(fraction.size());
  return value;
}

mpq_class RepeatingValue(std::string_view text) {
  const size_t open = text.find('(');
  const std::string_view before = text.substr(0, open);
  const std::string_view period = text.substr(open + 1, text.size() - open - 2);
  const size_t places = before.size() - before.find('.') - 1;
  mpq_class tail(IntegerOf(std::string(period)));
  tail /= (PowerOfTen(period.size()) - 1) * PowerOfTen(places);
  return DecimalValue(before) + tail;
}

bool LooksLikeProse(std::string_view word) {
  static const std::unordered_set<std::string_view> shorts = {
      "six", "the", "not", "all", "any", "yes", "odd", "for", "are", "has", "can",  "one", "two",
      "ten", "red", "day", "but", "its", "non", "was", "out", "use", "set", "no",   "is",  "of",
      "if",  "Yes", "No",  "The", "All", "Not", "its", "who", "why", "how", "None", "DNE", "NaN",
      "nan", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "pts", "pt",  "per"};
  if (shorts.count(word)) return true;
  if (word.size() < 4 || AllUpper(word)) return false;
  return word.find_first_of("aeiouyAEIOUY") != std::string_view::npos;
}

bool IsFillerWord(std::string_view word) {
  return word == "if" || word == "for" || word == "when" || word == "where" || word == "is" ||
         word == "If" || word == "for all" || word == "as";
}

}  // namespace assay::algebra
