// The table of extractors.
#include "harness/extract.h"

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {

const std::vector<Extractor>& Extractors() {
  static const auto* table = new std::vector<Extractor>{
      extract::BoxedExtractor(),         extract::LetterExtractor(), extract::NumberExtractor(),
      extract::CodeBlockExtractor(),     extract::RegexExtractor(),  extract::LastLineExtractor(),
      extract::LoglikelihoodExtractor(),
  };
  return *table;
}

absl::StatusOr<const Extractor*> FindExtractor(std::string_view name) {
  std::vector<std::string> names;
  for (const Extractor& extractor : Extractors()) {
    if (extractor.name == name) return &extractor;
    names.push_back(extractor.name);
  }
  return NotFound("unknown extractor '%s'%s (known: %s)", name, DidYouMean(name, names),
                  Join(names, ", "));
}

}  // namespace assay
