// The closed list of units and scales that may follow a number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay {

struct UnitReading {
  std::string unit;        // one spelling for each unit: "cm", "cm^2", "degree"
  bool known = true;       // false: a noun of one word that is in no list
  bool percent = false;    // "percent"
  int scale_exponent = 0;  // 6 for "million"
};

// The unit that `words` name ("square inches", "cm", "million dollars"), or nothing where they are
// no unit. `from_text`: they stood in \text{} or the like, where single letters and unlisted nouns
// may be units; outside of it they may not.
std::optional<UnitReading> ReadUnit(std::string_view words, bool from_text);

// "cm" and 2 give "cm^2".
std::string WithPower(std::string unit, int power);

}  // namespace assay
