// A plain number as an answer gives it, read exactly: value, unit, percent sign, the name it is
// assigned to.
#pragma once

#include <gmpxx.h>

#include <optional>
#include <string>
#include <string_view>

namespace assay {

struct Quantity {
  mpq_class value;           // of the number as written: 28 for 28%
  bool percent = false;      // 28%, 28\%, 28\text{ percent}
  std::string unit;          // "cm^2", "degree", "dollar": one spelling each; empty: none
  bool unit_known = true;    // the unit is in the lexicon
  std::string name;          // "x" in x = 5; empty: none
  std::string comma_groups;  // as written where plain commas divide it: 100,200 may be a list
  int decimals = 0;          // digits written behind the point; 0 for fractions and integers
};

enum class ReadProblem { kNone, kNotANumber, kOverLimit };

struct QuantityReading {
  std::optional<Quantity> quantity;
  ReadProblem problem = ReadProblem::kNone;
};

// Limits, so that nothing that a model writes costs more than a millisecond or so.
inline constexpr size_t kMostAnswerBytes = 64 << 10;
inline constexpr int kMostDigits = 20000;       // of one literal
inline constexpr int kLargestExponent = 20000;  // of ten, and bits / 4 of other powers
inline constexpr int kDeepestNesting = 100;

// Reads the whole of `text` as one number or says why not; never a number out of the middle of
// something else. What is read: integers, decimals, repeating decimals, a/b, \frac (\dfrac \tfrac
// \cfrac), mixed numbers, thousands marks (1,000 1{,}000 1\,000 1 000), signs, powers with a
// literal exponent, a\times10^b, 4.5e33; around them $ $, \( \), \[ \], { }, ( ), \left \right,
// \boxed{}, \text{}; behind them %, degrees, units, "million"; before them a currency or "x =".
QuantityReading ReadQuantity(std::string_view text);

// TeX text with one spelling for spacing, \dfrac, \left and \right, and outer delimiters: where two
// are equal byte for byte, they are the same answer. Empty where nothing is left.
std::string TextForm(std::string_view text);

// The value as "p/q" or "p", cut where it is long.
std::string ShownValue(const mpq_class& value);

}  // namespace assay
