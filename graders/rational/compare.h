// Version 1 of the math checker: decides plain numbers exactly, and says Undecided to all else.
#pragma once

#include <string>
#include <string_view>

#include "harness/types.h"

namespace assay {

// What is said of `answer` against `reference`. Correct only where they are proved equal: the same
// number with no unit against it, or the same text. Incorrect only where both are plain numbers and
// differ. Bounded in time and memory whatever the texts.
struct RationalVerdict {
  Outcome outcome = Outcome::kUndecided;
  std::string tier;  // "text", "number", "percent", "unread", "over limit", ...: what decided
  std::string why;
};
RationalVerdict CompareAnswers(std::string_view reference, std::string_view answer);

// Whether two answers to one question are one answer, for voting. An equivalence: numbers by value
// alone, everything else by its text.
bool SameAnswer(std::string_view a, std::string_view b);

}  // namespace assay
