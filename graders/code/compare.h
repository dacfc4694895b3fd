// Comparators: is this output the expected one. They run outside the sandbox on bytes.
//
// Pure functions; thread-safe; linear in the texts, but for kLcb's decimals (each token is read
// once).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay::code {

enum class Comparison {
  kLcb,     // LiveCodeBench: stripped lines, equal as text or token by token as decimals
  kTokens,  // words divided by blanks
  kFloats,  // tokens; where the expected one is a number with a point or exponent, within tolerance
  kLines,   // lines without blanks at their ends, without empty lines at the end
  kYesNo,   // tokens, in any case
  kExact,   // bytes
  kProgram  // a checker program decides; not for Compare
};

struct Checker {
  Comparison comparison = Comparison::kTokens;
  double absolute = 1e-6;  // of kFloats: either one suffices
  double relative = 1e-6;
  std::string language;  // of kProgram
  std::string source;
};

struct Match {
  bool same = false;
  int64_t line = 0;  // of the output, from 1, where they part; 0 where they do not
  std::string why;   // one line
};
Match Compare(const Checker& checker, std::string_view output, std::string_view expected);

// "tokens", or {"type": "floats", "absolute": 1e-6}, {"type": "program", "language": "cpp",
// "source": "..."}; `float_tolerance` is short for both tolerances and makes tokens floats. `where`
// begins the messages.
absl::StatusOr<Checker> CheckerFromJson(const Json& json, std::string_view where);
std::string_view ComparisonName(Comparison comparison);

// testlib's comparison of two doubles (its behaviour as documented: NaN equals NaN, infinities by
// sign, an absolute or a relative difference within the bound).
bool NearlyEqual(double expected, double found, double absolute, double relative);

}  // namespace assay::code
