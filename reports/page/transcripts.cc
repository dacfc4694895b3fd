// The fields are those that samples.js reads.
#include "reports/page/transcripts.h"

#include "absl/strings/str_format.h"
#include "harness/manifest.h"
#include "reports/show.h"

namespace assay {
namespace {

Json AnswerToJson(const Completion& completion, const Extraction& extraction) {
  const std::string& text = completion.answer;
  Json json = Json::MakeArray();
  const bool marked = extraction.answer.has_value() && extraction.begin < extraction.end &&
                      extraction.end <= text.size();
  if (!marked) {
    json.Append(text);
    return json;
  }
  json.Append(text.substr(0, extraction.begin));
  json.Append(text.substr(extraction.begin, extraction.end - extraction.begin));
  json.Append(text.substr(extraction.end));
  return json;
}

}  // namespace

Json SampleJson(const std::string& run_id, const StoredSample& stored, const Problem& problem,
                const TaskManifest& task) {
  const Sample& sample = stored.sample;
  const Completion& completion = sample.completion;
  const TokenCounts& tokens = completion.tokens;
  Json json = Json::MakeObject(
      {{"index", sample.index},
       {"reasoning", completion.reasoning},
       {"answer", AnswerToJson(completion, sample.extraction)},
       {"finish", FinishReasonName(completion.finish)},
       {"prompt_tokens", tokens.prompt},
       {"reasoning_tokens", tokens.reasoning},
       {"answer_tokens", tokens.answer},
       {"measured", tokens.source == TokenSource::kMeasured},
       {"seconds", completion.latency_seconds},
       {"seed", std::to_string(completion.seed)}});  // JavaScript's numbers end at 2^53
  if (completion.unclosed_reasoning) json.Set("unclosed", true);
  if (completion.cost_usd) json.Set("cost_usd", *completion.cost_usd);
  // A reply that could not be split into thinking and answer is shown as it came.
  if (completion.reasoning.empty() && completion.answer.empty()) json.Set("raw", completion.raw);
  if (!stored.graded) return json;
  const Verdict& verdict = sample.verdict;
  json.Set("outcome", OutcomeName(verdict.outcome));
  json.Set("score", verdict.score);
  json.Set("why", verdict.why);
  json.Set("grader", absl::StrFormat("%s, version %d", verdict.grader, verdict.grader_version));
  if (!verdict.detail.is_null()) json.Set("detail", ExactInBrowser(verdict.detail));
  const Extraction& extraction = sample.extraction;
  json.Set("rule", extraction.rule);
  if (!extraction.answer) return json;
  json.Set("extracted", *extraction.answer);
  if (extraction.strict != extraction.lenient) {
    json.Set("strict", extraction.strict ? Json(*extraction.strict) : Json());
  }
  SampleView view;
  view.run_id = run_id;
  view.stored = stored;
  view.problem = problem;
  json.Set("verify", VerifyCommand(view, task));
  return json;
}

Json AskedJson(const StoredProblem& asked) {
  Json json = PromptToJson(asked.prompt);
  json.Set("id", asked.problem.id);
  json.Set("reference", asked.problem.reference);
  Json choices = Json::MakeArray();
  for (const std::string& choice : asked.problem.choices) choices.Append(choice);
  json.Set("choices", std::move(choices));
  return json;
}

Json HistoryJson(const std::vector<Verdict>& history) {
  Json json = Json::MakeArray();
  for (const Verdict& verdict : history) {
    json.Append(Json::MakeObject(
        {{"grader", absl::StrFormat("%s, version %d", verdict.grader, verdict.grader_version)},
         {"outcome", OutcomeName(verdict.outcome)},
         {"score", verdict.score},
         {"why", verdict.why}}));
  }
  return json;
}

namespace {

// 2^53: JavaScript's numbers are exact up to here.
constexpr double kExact = 9007199254740992.0;

bool IsRounded(const Json& value) {
  if (!value.is_number()) return false;
  const std::string* text = value.NumberText();
  const bool whole =
      value.is_integer() || (text != nullptr && text->find_first_of(".eE") == std::string::npos);
  return whole && (value.AsNumber() >= kExact || value.AsNumber() <= -kExact);
}

}  // namespace

Json ExactInBrowser(Json json) {
  if (IsRounded(json)) return json.ToText();
  if (json.is_array()) {
    for (Json& element : json.AsArray()) element = ExactInBrowser(std::move(element));
  } else if (json.is_object()) {
    for (Json::Member& member : json.AsMembers()) {
      member.second = ExactInBrowser(std::move(member.second));
    }
  }
  return json;
}

}  // namespace assay
