// Finds the plug that a diff of docs/extending/ added, by its name, and uses it once, right and
// wrong.
#include <cstdio>
#include <string>

#include "harness/registry.h"
#include "harness/status.h"
#include "harness/task.h"

namespace assay {
namespace {

int failures = 0;

void Expect(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "expected that %s\n", what.c_str());
  ++failures;
}

absl::Status UseGrader(const std::string& name) {
  ASSIGN_OR_RETURN(const Grader* grader, FindGrader(name));
  ASSIGN_OR_RETURN(const BoundGrader bound, grader->bind(Json()));
  Problem problem;
  problem.reference = "Paris";
  Extraction extraction;
  extraction.answer = "It is paris.";
  ASSIGN_OR_RETURN(const Verdict right, bound.grade(problem, Completion(), extraction));
  Expect(right.outcome == Outcome::kCorrect, "'It is paris.' contains 'Paris'");
  extraction.answer = "comparison";
  ASSIGN_OR_RETURN(const Verdict wrong, bound.grade(problem, Completion(), extraction));
  Expect(wrong.outcome == Outcome::kIncorrect, "'comparison' does not contain the word 'Paris'");
  return absl::OkStatus();
}

absl::Status UseBackend(const std::string& name) {
  ASSIGN_OR_RETURN(const Backend* backend, FindBackend(name));
  BackendConfig config;
  Expect(!backend->open(config).ok(), "a backend with no reply does not open");
  config.options = Json::MakeObject({{"reply", "<think>hm</think>B"}});
  ASSIGN_OR_RETURN(const std::unique_ptr<CompletionSource> source, backend->open(config));
  int asked = 0, replies = 0;
  BackendCounters counters;
  CompletionFlow flow;
  flow.next = [&]() -> std::optional<CompletionRequest> {
    if (asked++ > 0) return std::nullopt;
    CompletionRequest request;
    request.draws = {{0, 11}, {1, 12}};
    return request;
  };
  flow.done = [&](const CompletionRequest&, const Draw& draw,
                  absl::StatusOr<Completion> completion) {
    ++replies;
    Expect(completion.ok() && completion->answer == "B" && completion->reasoning == "hm" &&
               completion->seed == draw.seed,
           "each draw gets the reply, split, with its seed");
  };
  flow.stopping = [] { return false; };
  flow.counters = &counters;
  RETURN_IF_ERROR(source->Run(flow));
  Expect(replies == 2, "both draws are answered");
  return absl::OkStatus();
}

absl::Status UseMetric(const std::string& name) {
  ASSIGN_OR_RETURN(const Metric* metric, FindMetric(name));
  MetricInput input;
  Expect(!metric->compute(input, name).ok(), "no samples give no number");
  for (const Outcome outcome : {Outcome::kCorrect, Outcome::kTruncated}) {
    ProblemOutcomes problem;
    problem.samples.emplace_back().outcome = outcome;
    input.problems.push_back(problem);
  }
  ASSIGN_OR_RETURN(const std::vector<NamedEstimate> estimates, metric->compute(input, name));
  Expect(estimates.size() == 1 && estimates[0].estimate.value() == 0.5,
         "one finished of two is one half");
  Expect(estimates[0].estimate.high() > 0.5, "the number has an interval");
  return absl::OkStatus();
}

// A task is no code: it is loaded from the copy's folder, where its diff put it.
absl::Status UseTask(const std::string& name, const std::string& tree) {
  const SearchPath path = {.task_directories = {tree + "/tasks"},
                           .data_directories = {tree + "/datasets"}};
  Expect(!LoadTasks(path, name + "s", {}).ok(), "a task of another name is not found");
  ASSIGN_OR_RETURN(const std::vector<Task> tasks, LoadTasks(path, name, {}));
  Expect(tasks.size() == 1 && tasks[0].name == name, "the task is found by its name");
  ASSIGN_OR_RETURN(const std::unique_ptr<ProblemStream> stream, OpenProblems(path, tasks[0], 1));
  int problems = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<AskedProblem> asked, stream->Next());
    if (!asked) break;
    ++problems;
    Expect(!asked->problem.reference.empty() && !asked->prompt.messages.empty(),
           "problem " + asked->problem.id + " has a reference and a prompt");
  }
  Expect(problems > 10, "the filter leaves some problems");
  return absl::OkStatus();
}

absl::Status Use(const std::string& kind, const std::string& name, const std::string& tree) {
  if (kind == "grader") return UseGrader(name);
  if (kind == "backend") return UseBackend(name);
  if (kind == "metric") return UseMetric(name);
  if (kind == "task") return UseTask(name, tree);
  return InvalidArgument("unknown kind of plug: %s", kind);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: plugs KIND NAME TREE\n");
    return 2;
  }
  const absl::Status status = assay::Use(argv[1], argv[2], argv[3]);
  assay::Expect(status.ok(), "the plug works: " + std::string(status.message()));
  return assay::failures == 0 ? 0 : 1;
}
