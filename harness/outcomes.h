// From stored verdicts to a task's table: reading a run, its estimates, and two runs side by side.
//
// Nothing here hides a missing sample: the counts say what is there, the bounds say what the rest
// could do to the headline, and whether to print it is the caller's decision.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/metric.h"
#include "harness/statistics.h"
#include "harness/store.h"
#include "harness/types.h"

namespace assay {

struct OutcomeCounts {
  int64_t planned = 0;  // samples
  int64_t stored = 0;   // completions that landed
  int64_t graded = 0;   // of them, with a verdict; the sum of the five outcomes
  int64_t correct = 0;  //
  int64_t incorrect = 0;
  int64_t no_answer = 0;
  int64_t truncated = 0;
  int64_t undecided = 0;
  // Of programs that ran in a sandbox below `full` (verdict detail "isolation"): how many, and the
  // lowest tier of the task, "none" below "landlock" below "full"; "" where nothing ran in one.
  int64_t below_full_isolation = 0;
  std::string isolation;
  // Samples by the model's name as the server told it (not: ""). More than one: what was measured
  // is no one model.
  std::map<std::string, int64_t> served_models;

  int64_t missing() const { return planned - stored; }  // to be fetched by `assay resume`
  int64_t ungraded() const { return stored - graded; }  // to be graded by `assay grade`
  bool complete() const { return planned == graded; }
};

struct OutcomeOptions {
  // Answer classes cost grader calls; only cons@k needs them.
  bool answer_classes = true;
  // Who reads the run anyway may look on: all problems first, then all samples, in the store's
  // order and without texts.
  std::function<void(const Problem&, const Prompt&)> on_problem;
  std::function<void(const StoredSample&)> on_sample;
};

// A task of a run, streamed from the store: `input.problems` are those with a graded sample, in the
// order asked. Clusters come from the tag "cluster:..." that a task may give its problems. Answer
// classes: all correct answers of a problem are one class; the others are compared by the grader
// (distinct strings only, each with the first answer of every class so far).
struct LoadedOutcomes {
  MetricInput input;
  OutcomeCounts counts;
};
absl::StatusOr<LoadedOutcomes> LoadOutcomesAndCounts(Store& store, const RunSummary& run,
                                                     const TaskManifest& task,
                                                     const OutcomeOptions& options = {});
absl::StatusOr<MetricInput> LoadOutcomes(Store& store, const RunSummary& run,
                                         const TaskManifest& task);

struct UnavailableMetric {
  std::string name;
  std::string why;
};

struct TagResult {
  std::string tag;       // "level:3"
  OutcomeCounts counts;  // of graded samples: what tags the missing have is not known
  Estimate estimate;     // pass@1
};

struct TaskResult {
  TaskManifest manifest;
  // The counts of OutcomeCounts, flat for tables.
  int64_t planned = 0, stored = 0, graded = 0;
  int64_t correct = 0, incorrect = 0, no_answer = 0, truncated = 0, undecided = 0;
  int64_t missing = 0;   // planned - stored
  int64_t ungraded = 0;  // stored - graded
  int64_t below_full_isolation =
      0;                  // a number that holds such verdicts is marked wherever it stands
  std::string isolation;  // the lowest: "", "full", "landlock", "none"
  std::map<std::string, int64_t> served_models;  // as in OutcomeCounts

  // By the task's metrics, in their order, over the samples that are graded. With missing or
  // ungraded samples these are partial: see the bounds.
  std::vector<NamedEstimate> estimates;
  std::vector<UnavailableMetric> unavailable;  // asked for, with why not
  // pass@1 with every missing and ungraded sample wrong, or right; only where there are such.
  std::optional<Estimate> if_missing_wrong;
  std::optional<Estimate> if_missing_right;
  // pass@1 with every truncated sample right (its lower bound, all wrong, is pass@1 itself); only
  // where there are such. The same for undecided ones.
  std::optional<Estimate> if_truncated_right;
  std::optional<Estimate> if_undecided_right;
  std::optional<MeanParts> parts;  // of pass@1: question and decoding error apart
  std::vector<TagResult> tags;     // sorted by tag; only where a tag splits the problems

  bool complete() const { return planned == graded; }
  // The first of `estimates`, or nullptr where there is none.
  const NamedEstimate* headline() const { return estimates.empty() ? nullptr : &estimates.front(); }
};

// An error is the store's, or a metric that the manifest names and this program does not know. A
// metric that cannot be computed (pass@8 of 4 samples) is in `unavailable`.
absl::StatusOr<TaskResult> ComputeTaskResult(Store& store, const RunSummary& run,
                                             const TaskManifest& task);
// The same from what was already loaded.
absl::StatusOr<TaskResult> ComputeTaskResult(const LoadedOutcomes& loaded,
                                             const TaskManifest& task);
Json TaskResultToJson(const TaskResult& result);

// Two runs of one task, problem by problem, on the problems that both have. `a` is the baseline:
// what is above 0 speaks for b.
struct PairedTask {
  int64_t problems = 0;                // in both
  std::optional<Estimate> difference;  // b - a with its interval; nothing without common problems
  PairedComparison comparison;         // of b against a: tests, wins, losses, ties
  double p = 1;                        // of `difference`: clustered where problems are clustered
  double detectable_difference = 0;    // at 80 % power and 5 %, were it run like this again
  // By most of its samples (a mean score above one half), of problems that have all of them in both
  // runs: what only missing samples turned is no flip.
  std::vector<std::string> a_right_b_wrong;  // flips
  std::vector<std::string> b_right_a_wrong;
  int64_t both_right = 0;
  int64_t both_wrong = 0;
  std::vector<std::string> only_in_a;  // left out of everything above
  std::vector<std::string> only_in_b;
};
PairedTask ComparePaired(const MetricInput& a, const MetricInput& b);

// What makes the two numbers incomparable, or comparable only with care, one line each; empty: the
// same problems, prompts, sampling and grading. The models are not compared.
std::vector<std::string> WhatDiffers(const TaskManifest& a, const TaskManifest& b,
                                     const RunManifest& run_a, const RunManifest& run_b);

}  // namespace assay
