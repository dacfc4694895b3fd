// The choice that a model finds most likely, from the record of its continuations' scores.
#include "harness/loglikelihood.h"

#include "harness/extract/common.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay::extract {
namespace {

LengthNorm NormFromName(std::string_view name) {
  return name == "characters" ? LengthNorm::kCharacters
         : name == "tokens"   ? LengthNorm::kTokens
                              : LengthNorm::kNone;
}

// A letter alone is read as one: how `assay tasks check` writes a reference.
std::optional<Found> ReadScores(std::string_view text, LengthNorm norm) {
  const std::string_view trimmed = Trim(text);
  if (trimmed.size() == 1 && trimmed[0] >= 'A' && trimmed[0] <= 'Z') {
    return Found{std::string(trimmed), "letter", 0, text.size()};
  }
  const std::optional<std::vector<ScoredContinuation>> scored = ContinuationsFromReply(text);
  if (!scored || scored->empty() || scored->size() > 26) return std::nullopt;
  const int best = MostLikely(*scored, norm);
  return Found{std::string(1, static_cast<char>('A' + best)), "most_likely", 0, text.size()};
}

}  // namespace

Extractor LoglikelihoodExtractor() {
  Extractor extractor;
  extractor.name = "loglikelihood";
  extractor.about = "the choice whose text the model finds most likely (tasks with loglikelihood)";
  extractor.options = {"mode", "normalize"};
  extractor.bind = [known = extractor.options](const Json& json) -> absl::StatusOr<BoundExtractor> {
    const Options options("loglikelihood", json);
    RETURN_IF_ERROR(options.CheckNames(known));
    ASSIGN_OR_RETURN(const Mode mode, options.ReadMode());
    ASSIGN_OR_RETURN(const std::string norm,
                     options.ReadWord("normalize", {"none", "characters", "tokens"}));
    return BoundExtractor([mode, norm = NormFromName(norm)](std::string_view text, const Problem&) {
      const std::optional<Found> found = ReadScores(text, norm);
      return ToExtraction(found, found, mode);
    });
  };
  return extractor;
}

}  // namespace assay::extract
