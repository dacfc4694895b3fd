// The record of a prompt whose continuations were scored instead of drawn: what a backend writes as
// the reply, and the extractor `loglikelihood` reads.
//
// As lm-evaluation-harness defines a multiple-choice task (lm_eval/api/task.py, `multiple_choice`):
// acc takes the choice whose continuation has the greatest log-probability, acc_norm the one with
// the greatest log-probability divided by the choice's length in characters, without the delimiter;
// the first of equals.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct ScoredContinuation {
  std::string text;    // delimiter and choice, as asked
  double logprob = 0;  // natural logarithm, summed over its tokens
  int tokens = 0;
  bool is_greedy = false;  // greedy decoding would have written it
};

// JSON: {"continuations": [{"text", "logprob", "tokens", "greedy"}, ...]}, in the order asked.
std::string ContinuationsToReply(const std::vector<ScoredContinuation>& scored);
// Nothing where `reply` is no such record.
std::optional<std::vector<ScoredContinuation>> ContinuationsFromReply(std::string_view reply);

enum class LengthNorm { kNone, kCharacters, kTokens };
// The index of the most likely one; -1 for none.
int MostLikely(const std::vector<ScoredContinuation>& scored, LengthNorm norm);

}  // namespace assay
