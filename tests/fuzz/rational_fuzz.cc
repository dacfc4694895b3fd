// The number reader and the comparison on any two texts: equality holds both ways round, every text
// equals itself, and what is read is what is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "graders/rational/compare.h"
#include "graders/rational/decimal_text.h"
#include "graders/rational/quantity.h"

namespace {
void Require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(text.find('\n'), size);
  const std::string_view a = text.substr(0, line), b = text.substr(std::min(line + 1, size));
  const bool equal = CompareAnswers(a, b).outcome == Outcome::kCorrect;
  Require(equal == (CompareAnswers(b, a).outcome == Outcome::kCorrect));
  Require(SameAnswer(a, b) == SameAnswer(b, a));
  Require(SameAnswer(a, a));
  Require(CompareAnswers(a, a).outcome == Outcome::kCorrect || TextForm(a).empty());
  const QuantityReading reading = ReadQuantity(a);
  Require(reading.quantity.has_value() == (reading.problem == ReadProblem::kNone));
  // A plain decimal has one canonical spelling, which reads as the same value.
  const std::optional<std::string> canonical = CanonicalDecimal(a);
  if (!canonical || canonical->size() > 1000) return 0;
  Require(CanonicalDecimal(*canonical) == canonical);
  const QuantityReading plain = ReadQuantity(*canonical);
  Require(plain.quantity.has_value());
  Require(!reading.quantity || reading.quantity->value == plain.quantity->value);
  return 0;
}
