// Reads a run's verdicts and turns them into a task's table.
#include "harness/outcomes.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

constexpr std::string_view kClusterTag = "cluster:";

using SameAnswer = std::function<bool(std::string_view, std::string_view)>;

absl::StatusOr<SameAnswer> EqualityOf(const TaskManifest& task) {
  ASSIGN_OR_RETURN(const Grader* grader, FindGrader(task.grader));
  ASSIGN_OR_RETURN(const BoundGrader bound, grader->bind(task.grader_options));
  if (bound.same_answer) return bound.same_answer;
  return [](std::string_view a, std::string_view b) { return a == b; };
}

// The answers of one problem, as they come. Class 0 is that of the correct answers: what the grader
// calls equal to the reference is equal to each other, and needs no comparing.
class AnswerClasses {
 public:
  explicit AnswerClasses(const SameAnswer& same) : same_(same) {}

  int Of(const std::optional<std::string>& answer, Outcome outcome) {
    if (outcome == Outcome::kCorrect) return kCorrectClass;
    const bool votes = outcome == Outcome::kIncorrect || outcome == Outcome::kUndecided;
    if (!votes || !answer) return -1;
    if (const auto known = class_of_.find(*answer); known != class_of_.end()) return known->second;
    return class_of_.emplace(*answer, FindOrAdd(*answer)).first->second;
  }

  void Clear() {
    class_of_.clear();
    first_answers_.clear();
  }

 private:
  static constexpr int kCorrectClass = 0;

  int FindOrAdd(const std::string& answer) {
    for (size_t i = 0; i < first_answers_.size(); ++i) {
      if (same_(first_answers_[i], answer)) return static_cast<int>(i) + 1;
    }
    first_answers_.push_back(answer);
    return static_cast<int>(first_answers_.size());
  }

  const SameAnswer& same_;
  absl::flat_hash_map<std::string, int> class_of_;
  std::vector<std::string> first_answers_;  // of class 1, 2, ...
};

void CountGraded(Outcome outcome, OutcomeCounts* counts) {
  ++counts->graded;
  switch (outcome) {
    case Outcome::kCorrect:
      ++counts->correct;
      break;
    case Outcome::kIncorrect:
      ++counts->incorrect;
      break;
    case Outcome::kNoAnswer:
      ++counts->no_answer;
      break;
    case Outcome::kTruncated:
      ++counts->truncated;
      break;
    case Outcome::kUndecided:
      ++counts->undecided;
      break;
  }
}

void CountIsolation(const Json& detail, OutcomeCounts* counts) {
  const std::optional<std::string> tier = detail.FindString("isolation");
  if (!tier) return;
  counts->below_full_isolation += *tier != "full";
  const auto height = [](std::string_view name) {
    return name == "" ? 3 : name == "full" ? 2 : name == "landlock" ? 1 : 0;
  };
  if (height(*tier) < height(counts->isolation)) counts->isolation = *tier;
}

ProblemOutcomes DescribeProblem(const Problem& problem) {
  ProblemOutcomes described;
  described.id = problem.id;
  for (const std::string& tag : problem.tags) {
    if (tag.starts_with(kClusterTag)) {
      described.cluster = tag.substr(kClusterTag.size());
    } else {
      described.tags.push_back(tag);
    }
  }
  return described;
}

// What the manifest promises, or at least what was begun: an interrupted run does not know yet how
// many problems there are.
int64_t PlannedSamples(const RunSummary& run, const TaskManifest& task, int64_t problems_asked) {
  if (task.problems > 0) return task.problems * task.samples_per_problem;
  const int64_t begun = problems_asked * task.samples_per_problem;
  return run.manifest.tasks.size() == 1 ? std::max(begun, run.samples_planned) : begun;
}

SampleOutcome OutcomeOf(const Sample& sample, AnswerClasses* classes) {
  SampleOutcome outcome;
  outcome.index = sample.index;
  outcome.outcome = sample.verdict.outcome;
  outcome.score = sample.verdict.score;
  if (classes != nullptr) {
    outcome.answer_class = classes->Of(sample.extraction.answer, sample.verdict.outcome);
  }
  outcome.reasoning_tokens = sample.completion.tokens.reasoning;
  outcome.answer_tokens = sample.completion.tokens.answer;
  const Json* measures = sample.verdict.detail.Find("measures");
  if (measures != nullptr && measures->is_object()) {
    for (const auto& [name, value] : measures->AsMembers()) {
      if (value.is_number()) outcome.measures.emplace_back(name, value.AsNumber());
    }
  }
  return outcome;
}

absl::Status ReadProblems(Store& store, const RunSummary& run, const TaskManifest& task,
                          const OutcomeOptions& options, OutcomeList* problems) {
  return store.ForEachProblem(run.manifest.id, task.name,
                              [&](const Problem& problem, const Prompt& prompt) {
                                if (options.on_problem) options.on_problem(problem, prompt);
                                problems->push_back(DescribeProblem(problem));
                                return absl::OkStatus();
                              });
}

absl::Status ReadSamples(Store& store, const RunSummary& run, const TaskManifest& task,
                         const OutcomeOptions& options, const OutcomeList& asked,
                         AnswerClasses* classes, LoadedOutcomes* loaded) {
  SampleFilter filter;
  filter.task = task.name;
  auto problem = asked.begin();
  std::vector<SampleOutcome> samples;  // of `problem`
  const auto finish_problem = [&] {
    if (samples.empty()) return;
    ProblemOutcomes finished = *problem;
    finished.samples.swap(samples);
    loaded->input.problems.push_back(finished);
  };
  RETURN_IF_ERROR(store.ForEachSample(run.manifest.id, filter, [&](const StoredSample& stored) {
    ++loaded->counts.stored;
    if (options.on_sample) options.on_sample(stored);
    const std::string& served = stored.sample.completion.served_model;
    if (!served.empty()) ++loaded->counts.served_models[served];
    if (!stored.graded) return absl::OkStatus();
    CountGraded(stored.sample.verdict.outcome, &loaded->counts);
    CountIsolation(stored.sample.verdict.detail, &loaded->counts);
    // Samples come problem by problem, in the problems' own order.
    if (problem != asked.end() && problem->id != stored.sample.problem_id) {
      finish_problem();
      while (problem != asked.end() && problem->id != stored.sample.problem_id) ++problem;
      if (classes != nullptr) classes->Clear();
    }
    if (problem == asked.end()) {
      return Internal("run %s, task %s: a sample of the unknown problem '%s'", run.manifest.id,
                      task.name, stored.sample.problem_id);
    }
    samples.push_back(OutcomeOf(stored.sample, classes));
    return absl::OkStatus();
  }));
  finish_problem();
  return absl::OkStatus();
}

// ---- estimates ----

bool NeedsAnswerClasses(const TaskManifest& task) {
  for (const std::string& name : task.metrics) {
    const absl::StatusOr<const Metric*> metric = FindMetric(name);
    if (metric.ok() && (*metric)->needs_answer_classes) return true;
  }
  return false;
}

void CopyCounts(const OutcomeCounts& counts, TaskResult* result) {
  result->planned = counts.planned;
  result->stored = counts.stored;
  result->graded = counts.graded;
  result->correct = counts.correct;
  result->incorrect = counts.incorrect;
  result->no_answer = counts.no_answer;
  result->truncated = counts.truncated;
  result->undecided = counts.undecided;
  result->missing = counts.missing();
  result->ungraded = counts.ungraded();
  result->below_full_isolation = counts.below_full_isolation;
  result->isolation = counts.isolation;
  result->served_models = counts.served_models;
}

bool HasEstimate(const TaskResult& result, std::string_view name) {
  return std::any_of(result.estimates.begin(), result.estimates.end(),
                     [&](const NamedEstimate& one) { return one.name == name; });
}

absl::Status AddMetric(const std::string& name, const MetricInput& input, TaskResult* result) {
  ASSIGN_OR_RETURN(const Metric* metric, FindMetric(name));
  absl::StatusOr<std::vector<NamedEstimate>> estimates = metric->compute(input, name);
  if (!estimates.ok()) {
    result->unavailable.push_back({name, std::string(estimates.status().message())});
    return absl::OkStatus();
  }
  for (NamedEstimate& one : *estimates) {
    // "pass@1" and "pass@k" both give pass@1.
    if (!HasEstimate(*result, one.name)) result->estimates.push_back(std::move(one));
  }
  return absl::OkStatus();
}

// pass@1 where samples of that outcome earn `value`.
Estimate MeanWith(const MetricInput& input, Outcome outcome, double value) {
  return MeanEstimate(MeansOverSamples(input, [&](const SampleOutcome& sample) {
    return sample.outcome == outcome ? value : EarnedScore(sample);
  }));
}

// pass@1 over all that was planned, where what is not graded earns `value`.
Estimate MeanWithMissing(const MetricInput& input, int64_t problems_planned, double value) {
  const auto planned = static_cast<double>(input.samples_planned);
  MeanSums means;
  ForEachMean(input, EarnedScore, [&](const ProblemOutcomes&, ProblemMean problem) {
    const double graded = std::min(static_cast<double>(problem.samples), planned);
    problem.mean = (problem.mean * graded + value * (planned - graded)) / planned;
    problem.samples = std::max<int64_t>(problem.samples, input.samples_planned);
    means.Add(problem);
  });
  const ProblemMean absent = {value, 0, input.samples_planned, -1};
  while (means.size() < problems_planned) means.Add(absent);
  return MeanEstimate(means);
}

void AddBounds(const MetricInput& input, TaskResult* result) {
  const int64_t problems_planned =
      (result->planned + input.samples_planned - 1) / std::max(1, input.samples_planned);
  if (!result->complete() && problems_planned > 0) {
    result->if_missing_wrong = MeanWithMissing(input, problems_planned, 0);
    result->if_missing_right = MeanWithMissing(input, problems_planned, 1);
  }
  if (result->truncated > 0) result->if_truncated_right = MeanWith(input, Outcome::kTruncated, 1);
  if (result->undecided > 0) result->if_undecided_right = MeanWith(input, Outcome::kUndecided, 1);
}

struct TagMembers {
  OutcomeCounts counts;
  MeanSums means;
};

void AddTags(const MetricInput& input, TaskResult* result) {
  std::map<std::string, TagMembers> members;
  int64_t problems = 0;
  ForEachMean(input, EarnedScore, [&](const ProblemOutcomes& problem, const ProblemMean& mean) {
    ++problems;
    for (const std::string& tag : problem.tags) {
      TagMembers& tagged = members[tag];
      tagged.means.Add(mean);
      for (const SampleOutcome& sample : problem.samples) {
        CountGraded(sample.outcome, &tagged.counts);
      }
    }
  });
  for (auto& [tag, tagged] : members) {
    if (tagged.means.size() == problems) continue;  // splits nothing
    tagged.counts.planned = tagged.counts.stored = tagged.counts.graded;
    result->tags.push_back({tag, tagged.counts, MeanEstimate(tagged.means)});
  }
}

Json CountsToJson(const TaskResult& result) {
  return Json::MakeObject({{"planned", result.planned},
                           {"stored", result.stored},
                           {"graded", result.graded},
                           {"missing", result.missing},
                           {"ungraded", result.ungraded},
                           {"correct", result.correct},
                           {"incorrect", result.incorrect},
                           {"no_answer", result.no_answer},
                           {"truncated", result.truncated},
                           {"undecided", result.undecided}});
}

void SetIfThere(std::string_view name, const std::optional<Estimate>& estimate, Json* json) {
  if (estimate) json->Set(name, EstimateToJson(*estimate));
}

}  // namespace

absl::StatusOr<LoadedOutcomes> LoadOutcomesAndCounts(Store& store, const RunSummary& run,
                                                     const TaskManifest& task,
                                                     const OutcomeOptions& options) {
  LoadedOutcomes loaded;
  loaded.input.samples_planned = task.samples_per_problem;
  loaded.input.seed = run.manifest.seed;
  loaded.input.answer_classes = options.answer_classes;
  SameAnswer same;
  if (options.answer_classes) {
    ASSIGN_OR_RETURN(same, EqualityOf(task));
  }
  AnswerClasses classes(same);
  OutcomeList asked;
  RETURN_IF_ERROR(ReadProblems(store, run, task, options, &asked));
  RETURN_IF_ERROR(ReadSamples(store, run, task, options, asked,
                              options.answer_classes ? &classes : nullptr, &loaded));
  loaded.counts.planned =
      std::max(PlannedSamples(run, task, static_cast<int64_t>(asked.size())), loaded.counts.stored);
  return loaded;
}

absl::StatusOr<MetricInput> LoadOutcomes(Store& store, const RunSummary& run,
                                         const TaskManifest& task) {
  ASSIGN_OR_RETURN(LoadedOutcomes loaded, LoadOutcomesAndCounts(store, run, task));
  return std::move(loaded.input);
}

absl::StatusOr<TaskResult> ComputeTaskResult(Store& store, const RunSummary& run,
                                             const TaskManifest& task) {
  OutcomeOptions options;
  options.answer_classes = NeedsAnswerClasses(task);
  ASSIGN_OR_RETURN(const LoadedOutcomes loaded, LoadOutcomesAndCounts(store, run, task, options));
  return ComputeTaskResult(loaded, task);
}

absl::StatusOr<TaskResult> ComputeTaskResult(const LoadedOutcomes& loaded,
                                             const TaskManifest& task) {
  TaskResult result;
  result.manifest = task;
  CopyCounts(loaded.counts, &result);
  std::vector<std::string> metrics = task.metrics;
  if (metrics.empty()) metrics = {"pass@1"};
  for (const std::string& name : metrics) RETURN_IF_ERROR(AddMetric(name, loaded.input, &result));
  if (loaded.input.problems.empty()) return result;
  result.parts = TakeApart(MeansOverSamples(loaded.input, EarnedScore));
  AddBounds(loaded.input, &result);
  AddTags(loaded.input, &result);
  return result;
}

Json TaskResultToJson(const TaskResult& result) {
  Json json = Json::MakeObject({{"task", result.manifest.name},
                                {"version", result.manifest.version},
                                {"task_hash", result.manifest.task_hash},
                                {"complete", result.complete()},
                                {"samples", CountsToJson(result)}});
  if (!result.isolation.empty()) {
    json.Set("isolation", result.isolation);
    json.Set("below_full_isolation", result.below_full_isolation);
  }
  if (result.served_models.size() > 1) {
    Json& served = json.Set("served_models", Json::MakeObject());
    for (const auto& [model, samples] : result.served_models) served.Set(model, samples);
  }
  Json& estimates = json.Set("estimates", Json::MakeObject());
  for (const NamedEstimate& one : result.estimates) {
    estimates.Set(one.name, EstimateToJson(one.estimate));
  }
  for (const UnavailableMetric& one : result.unavailable) {
    estimates.Set(one.name, Json::MakeObject({{"unavailable", one.why}}));
  }
  SetIfThere("if_missing_wrong", result.if_missing_wrong, &json);
  SetIfThere("if_missing_right", result.if_missing_right, &json);
  SetIfThere("if_truncated_right", result.if_truncated_right, &json);
  SetIfThere("if_undecided_right", result.if_undecided_right, &json);
  if (result.parts && result.parts->se_question) {
    json.Set("question_error", *result.parts->se_question);
  }
  if (result.parts && result.parts->se_sampling) {
    json.Set("decoding_error", *result.parts->se_sampling);
  }
  if (result.tags.empty()) return json;
  Json& tags = json.Set("tags", Json::MakeObject());
  for (const TagResult& tag : result.tags) {
    Json& entry = tags.Set(tag.tag, EstimateToJson(tag.estimate));
    entry.Set("truncated", tag.counts.truncated);
    entry.Set("undecided", tag.counts.undecided);
  }
  return json;
}

}  // namespace assay
