// Every extractor on any bytes: sound offsets, an answer exactly where a rule is named, and the
// same reading twice.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "harness/extract.h"

namespace assay {
namespace {

Json OptionsFor(const Extractor& extractor) {
  if (extractor.name == "regex") return Json::MakeObject({{"pattern", "(?i)answer:? *(\\w+)"}});
  if (extractor.name == "code_block") return Json::MakeObject({{"language", "python"}});
  return Json();
}

const std::vector<BoundExtractor>& All() {
  static const auto* all = [] {
    auto* bound = new std::vector<BoundExtractor>;
    for (const Extractor& extractor : Extractors())
      bound->push_back(*extractor.bind(OptionsFor(extractor)));
    return bound;
  }();
  return *all;
}

const Problem& FourChoices() {
  static const auto* problem = new Problem{.id = "p", .choices = {"ham", "eggs", "42", "none"}};
  return *problem;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const BoundExtractor& extract : All()) {
    const Extraction found = extract(text, FourChoices());
    Require(found.begin <= found.end && found.end <= size);
    Require(found.answer.has_value() == !found.rule.empty());
    Require(found.answer == found.lenient);
    Require(extract(text, FourChoices()).answer == found.answer);
  }
  return 0;
}
