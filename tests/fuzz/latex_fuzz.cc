// Fuzzes the reader of answers: any bytes are read, within the limits, and equal themselves.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graders/algebra/check.h"
#include "harness/status.h"
#include "harness/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using assay::algebra::Verdict;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const assay::algebra::Understood understood = assay::algebra::Understand(text, {});
  CHECK(!(understood.as_mathematics && understood.as_words));
  CHECK(understood.form.empty() == !(understood.as_mathematics || understood.as_words));
  const assay::algebra::Outcome outcome = assay::algebra::Check(text, text, {});
  const bool says_nothing = outcome.verdict == Verdict::kReferenceUnreadable;  // blanks, "$$"
  // Bytes that are no UTF-8, and the mark that stands for such, are not compared at all.
  const bool is_broken =
      outcome.verdict == Verdict::kUndecided &&
      (assay::FirstInvalidUtf8(text).has_value() || assay::Contains(text, "\xEF\xBF\xBD"));
  CHECK(outcome.correct() || outcome.verdict == Verdict::kUndefined || says_nothing || is_broken);
  return 0;
}
