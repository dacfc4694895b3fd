// Extractors: find the answer in the answer part of a reply, and say which rule found it.
//
// Never given the reasoning, and never called on a truncated completion: half a trace contains
// boxes. Source of the readings: what careful people read in real endings
// (tests/tables/extract_*.txt).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/types.h"

namespace assay {

// An extractor with a task's options bound. Thread-safe. Linear time in the text.
using BoundExtractor =
    std::function<Extraction(std::string_view answer_text, const Problem& problem)>;

struct Extractor {
  std::string name;   // "boxed", "letter", "number", "code_block", "regex", "last_line"
  std::string about;  // one sentence
  std::vector<std::string>
      options;  // names that `bind` knows; every extractor knows "mode": lenient (default) | strict
  std::function<absl::StatusOr<BoundExtractor>(const Json& options)> bind;
};

const std::vector<Extractor>& Extractors();
// NotFound with the nearest name where there is none. The pointer lives as long as the program.
absl::StatusOr<const Extractor*> FindExtractor(std::string_view name);

}  // namespace assay
