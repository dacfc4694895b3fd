// Inside the template engine: the generated tables behind template_text.h.
#pragma once

#include <cstdint>
#include <span>

namespace assay::jinja {

enum Property : uint32_t {
  kPrintable = 1,
  kAlphabetic = 2,
  kDecimal = 4,
  kDigit = 8,
  kNumeric = 16,
  kUpper = 32,
  kLower = 64,
  kTitle = 128,
  kCaseIgnorable = 256,
};

// Every `stride`th code point of [first, last] changes by `delta`.
struct CaseRange {
  uint32_t first, last;
  int32_t stride, delta;
};
// One code point that becomes several; UTF-8.
struct CaseSpecial {
  uint32_t code;
  const char* text;
};

struct UnicodeTables {
  std::span<const uint32_t> property_runs;  // first code point << 9 | properties, ascending
  std::span<const CaseRange> lower, upper, title;
  std::span<const CaseSpecial> lower_specials, upper_specials, title_specials;
};
const UnicodeTables& Unicode();

}  // namespace assay::jinja
