// The closed lexicon of units, and comparing quantities that carry them.
//
// No single letter outside \text or \mathrm is ever a unit: "5t" keeps its t.
#pragma once

#include <gmpxx.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace assay::algebra {

// A unit as a product of base units. Temperatures with an offset are bases of their own.
struct Unit {
  mpq_class scale = 1;               // of the base units
  std::map<std::string, int> bases;  // "m" -> 2; unknown nouns are bases too: "apple"
  bool known = true;                 // all its words are in the lexicon
};

// Whether `word`, standing bare after a number, is a unit.
bool IsBareUnit(std::string_view word);
// Reads "cm^2", "square inches", "m/s", "apples". "units" and "square units" have no base.
Unit ReadUnit(std::string_view text);

// "million" -> 1000000.
std::optional<mpq_class> MultiplierWord(std::string_view word);

}  // namespace assay::algebra
