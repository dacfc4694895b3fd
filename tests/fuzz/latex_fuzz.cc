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
  CHECK(outcome.correct() || outcome.verdict == Verdict::kUndefined || says_nothing);
  return 0;
}
