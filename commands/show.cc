// `assay show RUN`: what a run's numbers mean, its samples, and what is missing.
#include <cstdio>
#include <map>
#include <memory>

#include "absl/strings/str_format.h"
#include "commands/shared/run_execution.h"
#include "harness/command.h"
#include "harness/manifest.h"
#include "harness/status.h"
#include "harness/store.h"
#include "harness/task.h"
#include "harness/text.h"
#include "harness/token_logprobs.h"
#include "reports/breakdown.h"
#include "reports/compare.h"
#include "reports/published.h"
#include "reports/results.h"
#include "reports/show.h"
#include "reports/table.h"
#include "reports/terminal.h"

namespace assay {
namespace {

constexpr int kTagsShown = 12;

struct Options {
  std::string run = "last";
  std::string database = DefaultDatabase();
  std::string task;
  std::string problem;
  std::optional<int> sample;
  std::string outcome;
  std::string published_as;
  std::optional<int> limit;
  bool failures = false;
  bool reasoning = false;
  bool all_tags = false;
  bool allow_partial = false;
  bool json = false;

  bool wants_samples() const {
    return !problem.empty() || sample.has_value() || !outcome.empty() || limit.has_value();
  }
};

absl::StatusOr<std::optional<Outcome>> ParseOutcome(const std::string& name) {
  if (name.empty()) return std::optional<Outcome>();
  const std::optional<Outcome> outcome = OutcomeFromName(ReplaceAll(name, "-", "_"));
  if (outcome) return outcome;
  std::vector<std::string> names;
  for (const Outcome known : {Outcome::kCorrect, Outcome::kIncorrect, Outcome::kNoAnswer,
                              Outcome::kTruncated, Outcome::kUndecided}) {
    names.emplace_back(OutcomeName(known));
  }
  return InvalidArgument("--outcome: expected one of %s, found '%s'%s", Join(names, ", "), name,
                         DidYouMean(name, names));
}

// --- samples ---

absl::StatusOr<std::vector<SampleView>> CollectSamples(Store& store, const RunSummary& run,
                                                       const Options& options) {
  SampleFilter filter;
  filter.task = options.task;
  filter.problem_id = options.problem;
  filter.parts = SampleParts::kAll;
  filter.logprobs = options.json;
  ASSIGN_OR_RETURN(filter.outcome, ParseOutcome(options.outcome));
  const int limit = options.limit.value_or(10);
  std::vector<SampleView> views;
  const absl::Status status =
      store.ForEachSample(run.manifest.id, filter, [&](const StoredSample& stored) -> absl::Status {
        if (options.sample && stored.sample.index + 1 != *options.sample) return absl::OkStatus();
        if (limit > 0 && views.size() == static_cast<size_t>(limit)) return absl::CancelledError();
        SampleView& view = views.emplace_back();
        view.run_id = run.manifest.id;
        view.stored = stored;
        return absl::OkStatus();
      });
  if (!status.ok() && !absl::IsCancelled(status)) return status;
  return views;
}

// The problems and prompts of `views`, which are not stored with each sample.
absl::Status FillProblems(Store& store, const RunSummary& run, std::vector<SampleView>* views) {
  std::map<std::string, std::multimap<std::string, SampleView*>> wanted;
  for (SampleView& view : *views) {
    wanted[view.stored.task].emplace(view.stored.sample.problem_id, &view);
  }
  for (auto& [task, of_task] : wanted) {
    const auto& by_problem = of_task;  // clang 14 captures no structured binding
    RETURN_IF_ERROR(store.ForEachProblem(
        run.manifest.id, task, [&](const Problem& problem, const Prompt& prompt) {
          const auto [begin, end] = by_problem.equal_range(problem.id);
          for (auto it = begin; it != end; ++it) {
            it->second->problem = problem;
            it->second->prompt = prompt;
          }
          return absl::OkStatus();
        }));
  }
  return absl::OkStatus();
}

absl::Status FillHistory(Store& store, const RunSummary& run, std::vector<SampleView>* views) {
  for (SampleView& view : *views) {
    ASSIGN_OR_RETURN(view.history,
                     store.VerdictHistory(run.manifest.id, view.stored.task,
                                          view.stored.sample.problem_id, view.stored.sample.index));
  }
  return absl::OkStatus();
}

absl::Status ShowSamples(Store& store, const RunSummary& run, const Options& options) {
  ASSIGN_OR_RETURN(std::vector<SampleView> views, CollectSamples(store, run, options));
  if (views.empty() && !options.problem.empty()) {
    return NotFound("run %s holds no such sample of a problem '%s' (ids stand in `assay export`)",
                    run.manifest.id, Printable(options.problem));
  }
  if (views.empty() && options.sample) {
    return NotFound("run %s holds no sample %d%s", run.manifest.id, *options.sample,
                    options.outcome.empty() ? "" : " that is " + Printable(options.outcome));
  }
  RETURN_IF_ERROR(FillProblems(store, run, &views));
  RETURN_IF_ERROR(FillHistory(store, run, &views));
  if (options.json) {
    Json samples = Json::MakeArray();
    for (const SampleView& view : views) {
      Json sample = SampleToJson(view);
      const std::string& logprobs = view.stored.sample.completion.logprobs;
      if (!logprobs.empty()) {
        ASSIGN_OR_RETURN(Json json, LogprobsToJson(logprobs));
        sample.Find("completion")->Set("logprobs", std::move(json));
      }
      samples.Append(std::move(sample));
    }
    const Json json = Json::MakeObject({{"run", run.manifest.id}, {"samples", std::move(samples)}});
    std::printf("%s\n", json.Dump(2).c_str());
    return absl::OkStatus();
  }
  const Terminal terminal = TerminalOf(stdout);
  for (const SampleView& view : views) {
    ASSIGN_OR_RETURN(const TaskManifest* task, NamedTask(run.manifest, view.stored.task));
    const std::string text = DescribeSample(
        view, *task, options.reasoning ? Reasoning::kFull : Reasoning::kFolded, terminal);
    std::printf("%s\n", text.c_str());
  }
  std::printf("%d sample%s shown%s\n", static_cast<int>(views.size()), views.size() == 1 ? "" : "s",
              options.limit.has_value() ? "" : " (--limit N shows more, 0 all)");
  return absl::OkStatus();
}

// --- failures ---

absl::Status ShowFailures(Store& store, const RunSummary& run, const Options& options) {
  ASSIGN_OR_RETURN(const std::vector<StoredFailure> failures, store.ListFailures(run.manifest.id));
  Table table;
  table.columns = {{"task"}, {"problem"}, {"sample", true}, {"when"}, {"why"}};
  Json list = Json::MakeArray();
  for (const StoredFailure& failure : failures) {
    if (!options.task.empty() && failure.task != options.task) continue;
    if (options.limit.value_or(0) > 0 && table.rows.size() == static_cast<size_t>(*options.limit)) {
      break;
    }
    table.AddRow({failure.task, failure.problem_id, std::to_string(failure.index + 1), failure.when,
                  FitColumns(failure.message, 200)});
    list.Append(Json::MakeObject({{"task", failure.task},
                                  {"problem_id", failure.problem_id},
                                  {"index", failure.index},
                                  {"when", failure.when},
                                  {"message", failure.message}}));
  }
  if (options.json) {
    const Json json = Json::MakeObject({{"run", run.manifest.id}, {"failures", std::move(list)}});
    std::printf("%s\n", json.Dump(2).c_str());
  } else {
    std::fputs(RenderTable(table, TableForm::kTerminal).c_str(), stdout);
  }
  return absl::OkStatus();
}

// --- the run as a whole ---

absl::Status ShowRun(Store& store, RunSummary run, const Options& options) {
  if (!options.task.empty()) {
    ASSIGN_OR_RETURN(const TaskManifest* task, NamedTask(run.manifest, options.task));
    run.manifest.tasks = {TaskManifest(*task)};
  }
  ASSIGN_OR_RETURN(const std::vector<TaskResult> results, LoadResults(store, run));
  const Partial partial = options.allow_partial ? Partial::kLabelled : Partial::kRefuse;
  const std::vector<PublishedLine> published = PublishedLines(
      results, options.published_as.empty() ? run.manifest.model : options.published_as);
  ASSIGN_OR_RETURN(const std::vector<TaskDeviations> deviations,
                   RunDeviations(DefaultSearchPath({}, {}), run.manifest));
  if (options.json) {
    Json json = ResultsToJson(run, results, partial);
    json.Set("manifest", RunManifestToJson(run.manifest));
    json.Set("samples_planned", run.samples_planned);
    json.Set("samples_stored", run.samples_stored);
    json.Set("failures", run.failures);
    json.Set("finished", run.finished);
    json.Set("published", PublishedToJson(published));
    json.Set("recipe_deviations", DeviationsToJson(deviations));
    std::printf("%s\n", json.Dump(2).c_str());
    return absl::OkStatus();
  }
  std::string text = DescribeRun(run, TerminalOf(stdout)) + "\n" +
                     ResultTable(results, partial, TableForm::kTerminal) + "\n";
  for (const TaskResult& result : results) text += WhatTheNumbersMean(result);
  const std::string comparison = PublishedTextOf(published) + DeviationsText(deviations);
  if (!comparison.empty()) text += "\n" + comparison;
  if (partial == Partial::kLabelled || run.state == RunState::kComplete) {
    const std::string tags = TagTable(results, options.all_tags ? 0 : kTagsShown);
    if (!tags.empty()) text += "\n" + tags;
  }
  if (run.failures > 0) {
    text += absl::StrFormat("\n%s draws failed; assay show %s --failures lists why\n",
                            WithThousands(run.failures), Printable(run.manifest.id));
  }
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Show(const Options& options) {
  if (options.limit.value_or(0) < 0) {
    return InvalidArgument("--limit: expected 0 or more, found %d", *options.limit);
  }
  if (options.sample.value_or(1) < 1) {
    return InvalidArgument("--sample: samples are numbered from 1, found %d", *options.sample);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   Store::Open(options.database, StoreMode::kReadOnly));
  ASSIGN_OR_RETURN(RunSummary run, store->FindRun(options.run));
  if (!options.task.empty()) RETURN_IF_ERROR(NamedTask(run.manifest, options.task).status());
  if (options.failures) return ShowFailures(*store, run, options);
  if (options.wants_samples()) return ShowSamples(*store, run, options);
  return ShowRun(*store, std::move(run), options);
}

}  // namespace

Command ShowCommand() {
  Command command;
  command.name = "show";
  command.about = "Show what a run's numbers mean, its samples, or what failed";
  command.order = 50;
  command.declare = [](CommandLine& line) {
    auto options = std::make_shared<Options>();  // shared: lives as long as the action
    line.Positional("run", &options->run, "The run's id, name, or 'last'", false);
    line.Option("--db", &options->database, "The results database");
    line.Option("--task,-t", &options->task, "This task only");
    line.Option("--problem", &options->problem, "Show this problem's samples");
    line.Option("--sample", &options->sample, "Show the samples with this number, from 1");
    line.Option("--outcome", &options->outcome,
                "Show samples that are correct, incorrect, no_answer, truncated or undecided");
    line.Option("--published-as", &options->published_as,
                "The model whose published figures to show beside the run's (default: its own)");
    line.Option("--limit,-L", &options->limit, "Show so many samples; 0: all");
    line.Flag("--reasoning", &options->reasoning, "Unfold the reasoning");
    line.Flag("--failures", &options->failures, "List the draws that failed, and why");
    line.Flag("--all-tags", &options->all_tags, "The breakdown by tag in full");
    line.Flag("--allow-partial", &options->allow_partial,
              "A labelled number, with bounds, over missing samples");
    line.Flag("--json", &options->json, "Machine-readable stdout");
    line.Action([options] {
      const absl::Status status = Show(*options);
      return status.ok() ? 0 : PrintError(status);
    });
  };
  return command;
}

}  // namespace assay
