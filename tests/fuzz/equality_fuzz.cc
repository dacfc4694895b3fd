// Fuzzes equality: the first line against the rest, in both orders, with the same verdict.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graders/algebra/check.h"
#include "harness/status.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using assay::algebra::CheckOptions;
  using assay::algebra::Outcome;
  using assay::algebra::Verdict;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos || size > 400) return 0;
  CheckOptions options;
  options.policy.symmetric = true;
  const Outcome forth = assay::algebra::Check(text.substr(0, line), text.substr(line + 1), options);
  const Outcome back = assay::algebra::Check(text.substr(line + 1), text.substr(0, line), options);
  // A proof that the clock cut short on one way says nothing about the other.
  const bool cut = forth.microseconds > 300000 || back.microseconds > 300000;
  CHECK(cut || forth.correct() == back.correct());
  CHECK(cut ||
        (forth.verdict == Verdict::kProvedDifferent) ==
            (back.verdict == Verdict::kProvedDifferent) ||
        forth.undecided() || back.undecided());
  return 0;
}
