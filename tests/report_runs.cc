// Writes through the store's own writer.
#include "tests/report_runs.h"

#include "absl/strings/str_format.h"
#include "tests/testing.h"

namespace assay::testing_support {
namespace {

Outcome OutcomeOf(char letter) {
  switch (letter) {
    case 'C':
      return Outcome::kCorrect;
    case 'I':
      return Outcome::kIncorrect;
    case 'T':
      return Outcome::kTruncated;
    case 'U':
      return Outcome::kUndecided;
    default:
      return Outcome::kNoAnswer;
  }
}

StoredSample MakeSample(const ReportRunSpec& spec, int problem, int index, char letter) {
  StoredSample stored;
  stored.task = spec.task;
  stored.key = absl::StrFormat("%s/%d/%d", spec.task, problem, index);
  stored.graded = letter != '.';
  Sample& sample = stored.sample;
  sample.problem_id = absl::StrFormat("p%d", problem);
  sample.index = index;
  sample.completion.reasoning = absl::StrFormat("I think about problem %d.", problem);
  sample.completion.tokens = {20, 100 * (problem + 1) + index, 10, TokenSource::kMeasured};
  sample.completion.cost_usd = spec.cost_usd;
  if (letter == 'T') {
    sample.completion.finish = FinishReason::kLength;
    sample.completion.tokens.reasoning = 1000;
  } else {
    sample.completion.answer = letter == 'N' ? "I do not know." : "It is \\boxed{7}, I say.";
  }
  sample.completion.raw = sample.completion.answer;
  if (stored.graded && letter != 'T' && letter != 'N') {
    sample.extraction.answer = sample.extraction.strict = sample.extraction.lenient = "7";
    sample.extraction.rule = "boxed";
    sample.extraction.begin = 13;
    sample.extraction.end = 14;
  }
  if (stored.graded) {
    sample.verdict.outcome = OutcomeOf(letter);
    sample.verdict.score = letter == 'C' ? 1 : 0;
    sample.verdict.grader = "exact";
    sample.verdict.grader_version = 1;
    sample.verdict.why = letter == 'I' ? "7 is not 8" : "";
    sample.verdict.detail = Json::MakeObject({{"tier", letter == 'C' ? "identity" : "numbers"}});
  }
  if (spec.with_sample) spec.with_sample(stored);
  return stored;
}

TaskManifest MakeTask(const ReportRunSpec& spec) {
  TaskManifest task;
  task.name = spec.task;
  task.version = "1";
  task.task_hash = "hash of the task";
  task.prompt_hash = "hash of the prompts";
  task.dataset_path = "sums.jsonl";
  task.dataset_sha256 = "hash of the data";
  task.extractor = "boxed";
  task.grader = "exact";
  task.grader_version = 1;
  task.samples_per_problem = static_cast<int>(spec.outcomes[0].size());
  task.problems = static_cast<int64_t>(spec.outcomes.size());
  task.metrics = spec.metrics;
  task.sampling = spec.sampling;
  task.definition = Json::MakeObject({{"name", spec.task}});
  if (!spec.reference_results.is_null()) {
    task.definition.Set("reference_results", spec.reference_results);
  }
  return task;
}

}  // namespace

std::string WriteReportRun(const std::string& database, const ReportRunSpec& spec) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(database, StoreMode::kReadWrite);
  EXPECT_OK(store.status());
  RunManifest manifest;
  manifest.name = spec.name;
  manifest.model = spec.model;
  manifest.backend = "replay";
  manifest.started = "2026-01-02T03:04:05Z";
  manifest.tasks = {MakeTask(spec)};
  absl::StatusOr<std::unique_ptr<RunWriter>> writer = (*store)->CreateRun(&manifest);
  EXPECT_OK(writer.status());
  bool complete = true;
  for (size_t p = 0; p < spec.outcomes.size(); ++p) {
    Problem problem;
    problem.id = absl::StrFormat("p%d", p);
    problem.reference = "8";
    problem.tags = {p % 2 == 0 ? "level:even" : "level:odd"};
    Prompt prompt;
    prompt.messages = {{"user", absl::StrFormat("What is the sum of problem number %d?", p)}};
    if (spec.with_problem) spec.with_problem(problem, prompt);
    EXPECT_OK((*writer)->PutProblem(spec.task, problem, prompt));
    for (size_t i = 0; i < spec.outcomes[p].size(); ++i) {
      const char letter = spec.outcomes[p][i];
      complete = complete && letter != '-';
      if (letter == '-') continue;
      EXPECT_OK(
          (*writer)->PutSample(MakeSample(spec, static_cast<int>(p), static_cast<int>(i), letter)));
    }
  }
  EXPECT_OK((*writer)->Finish(complete ? RunState::kComplete : RunState::kIncomplete));
  return manifest.id;
}

}  // namespace assay::testing_support
