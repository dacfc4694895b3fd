// The checker's front door: is this answer the reference, and how is that known?
//
//   Outcome outcome = Check("\\frac{1}{2}", "0.5", {});
//   outcome.correct()  // true: Verdict::kProvedEqual by Tier::kExact
//
// Pure, and safe from many threads. In-process it is bounded in memory only by the limits, and in
// time only between tiers; the worker processes of graders/math.cc bound it in both.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "graders/algebra/compare.h"
#include "graders/algebra/decide.h"
#include "graders/algebra/lexer.h"

namespace assay::algebra {

enum class Verdict {
  kProvedEqual,
  kNumericallyEqual,  // to `digits` digits; counts from 50 on
  kRoundedMatch,      // by the rule in `note`, which the task switched on
  kProvedDifferent,   // or different in kind
  kUndecided,
  kUndefined,  // a side has no value: 1/0
  kReferenceUnreadable,
  kAnswerUnreadable,
  kOverLimit,
  kTimeout,
};
// "proved_equal", "numerically_equal", ...
std::string_view VerdictName(Verdict verdict);

// A form that the task asks for besides the value.
enum class Form {
  kAny,
  kReduced,   // fractions in lowest terms, no root in a denominator is asked for
  kFactored,  // a product, not a sum
  kExpanded,  // a sum of products without brackets
};

struct CheckOptions {
  Policy policy;
  Limits limits;
  Form form = Form::kAny;
  std::chrono::milliseconds soft_limit{300};
};

struct Outcome {
  Verdict verdict = Verdict::kUndecided;
  Tier tier = Tier::kNone;
  int digits = 0;
  std::string note;
  std::string reference_reading;  // how ambiguous notation was taken: "thousands", ...; often ""
  std::string answer_reading;
  std::string reference_form;  // what was read, for people
  std::string answer_form;
  double microseconds = 0;

  bool correct() const {
    return verdict == Verdict::kProvedEqual || verdict == Verdict::kRoundedMatch ||
           (verdict == Verdict::kNumericallyEqual && digits >= kEnoughDigits);
  }
  // Neither right nor wrong is known; counted apart in every report.
  bool undecided() const { return !correct() && verdict != Verdict::kProvedDifferent; }
};

Outcome Check(std::string_view reference, std::string_view answer, const CheckOptions& options);

// Whether two answers are the same, neither being the reference: symmetric.
bool SameAnswer(std::string_view a, std::string_view b, const CheckOptions& options);

// What a text is read as: for `verify` and for tests of the reader.
struct Understood {
  bool as_mathematics = false;
  bool as_words = false;
  bool over_limit = false;
  std::string form;
  std::string error;
};
Understood Understand(std::string_view text, const Limits& limits);

}  // namespace assay::algebra
