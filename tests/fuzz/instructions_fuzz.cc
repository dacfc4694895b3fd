// IFEval's checks and DROP's normalisation on any bytes: no crash, the same answer twice, sentences
// inside the text, and what follows strictly follows loosely.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graders/instructions/check.h"
#include "graders/instructions/sentences.h"
#include "graders/instructions/unicode.h"
#include "graders/spans/drop.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr const char* kArguments =
    R"({"keywords": ["a.c", "e"], "keyword": "an", "forbidden_words": ["the", "é"],
        "frequency": 2, "relation": "at least", "letter": "e", "let_frequency": 2,
        "let_relation": "less than", "language": "en", "num_sentences": 2, "num_paragraphs": 2,
        "num_words": 3, "nth_paragraph": 2, "first_word": "a", "num_placeholders": 1,
        "postscript_marker": "P.S.", "num_bullets": 1, "num_highlights": 1,
        "section_spliter": "S", "num_sections": 1, "prompt_to_repeat": "a", "end_phrase": "z",
        "capital_frequency": 1, "capital_relation": "at least"})";

void Require(bool holds) {
  if (!holds) std::abort();
}

const std::vector<instructions::Check>& All() {
  static const auto* all = [] {
    auto* checks = new std::vector<instructions::Check>;
    const Json arguments = *ParseJson(kArguments);
    for (const std::string& name : instructions::InstructionNames()) {
      checks->push_back(*instructions::BindCheck(name, arguments));
    }
    return checks;
  }();
  return *all;
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string valid =
      ToValidUtf8(std::string_view(reinterpret_cast<const char*>(data), size));
  const std::u32string text = instructions::ToCodePoints(valid);
  Require(instructions::ToUtf8(text) == valid);
  for (const instructions::Check& check : All()) {
    const bool strict = instructions::FollowsStrict(check, text);
    Require(strict == instructions::FollowsStrict(check, text));
    Require(!strict || instructions::FollowsLoose(check, text));
  }
  for (const std::u32string_view sentence : instructions::Sentences(text)) {
    Require(sentence.data() >= text.data() &&
            sentence.data() + sentence.size() <= text.data() + text.size());
  }
  const std::string normal = spans::NormalSpan(valid);
  const spans::Measures itself = spans::Measure({valid}, {valid});
  Require(itself.exact_match == 1 && itself.f1 == 1);
  Require(FirstInvalidUtf8(normal) == std::nullopt);
  return 0;
}
