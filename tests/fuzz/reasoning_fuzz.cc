// Splitting any reply: the answer is the reply's end, nothing is invented, unclosed thinking leaves
// no answer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "harness/reasoning.h"

namespace {
void Require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool prefix_opened : {false, true}) {
    const SplitReply split = SplitReasoning(text, std::nullopt, prefix_opened);
    Require(text.ends_with(split.answer));
    Require(split.reasoning.size() + split.answer.size() <= size);
    Require(!split.unclosed || (split.answer.empty() && !split.empty));
    // The answer of a split holds nothing more to split.
    const SplitReply again = SplitReasoning(split.answer, std::nullopt, false);
    Require(split.unclosed || again.reasoning.empty() || !again.unclosed);
  }
  const size_t half = size / 2;
  const SplitReply field = SplitReasoning(text.substr(half), text.substr(0, half), false);
  Require(text.ends_with(field.answer));
  return 0;
}
