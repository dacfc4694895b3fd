// Reads back exactly what it wrote.
#include "harness/loglikelihood.h"

#include <algorithm>

#include "harness/json.h"
#include "harness/text.h"

namespace assay {
namespace {

double Length(const ScoredContinuation& one, LengthNorm norm) {
  if (norm == LengthNorm::kNone) return 1;
  if (norm == LengthNorm::kTokens) return std::max(1, one.tokens);
  return static_cast<double>(std::max<size_t>(1, CountCodePoints(TrimLeft(one.text))));
}

}  // namespace

std::string ContinuationsToReply(const std::vector<ScoredContinuation>& scored) {
  Json list = Json::MakeArray();
  for (const ScoredContinuation& one : scored) {
    list.Append(Json::MakeObject({{"text", one.text},
                                  {"logprob", one.logprob},
                                  {"tokens", one.tokens},
                                  {"greedy", one.is_greedy}}));
  }
  return Json::MakeObject({{"continuations", std::move(list)}}).Dump();
}

std::optional<std::vector<ScoredContinuation>> ContinuationsFromReply(std::string_view reply) {
  const absl::StatusOr<Json> json = ParseJson(reply);
  const Json* list = json.ok() ? json->Find("continuations") : nullptr;
  if (list == nullptr || !list->is_array()) return std::nullopt;
  std::vector<ScoredContinuation> scored;
  for (const Json& row : list->AsArray()) {
    const std::optional<std::string> text = row.FindString("text");
    const std::optional<double> logprob = row.FindNumber("logprob");
    if (!text || !logprob) return std::nullopt;
    scored.push_back({*text, *logprob, static_cast<int>(row.FindInteger("tokens").value_or(0)),
                      row.FindBool("greedy").value_or(false)});
  }
  return scored;
}

int MostLikely(const std::vector<ScoredContinuation>& scored, LengthNorm norm) {
  int best = -1;
  double greatest = 0;
  for (size_t i = 0; i < scored.size(); ++i) {
    const double value = scored[i].logprob / Length(scored[i], norm);
    if (best >= 0 && value <= greatest) continue;
    best = static_cast<int>(i);
    greatest = value;
  }
  return best;
}

}  // namespace assay
