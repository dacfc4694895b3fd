// The one way through: problems are streamed to a backend, completions are graded and stored as
// they land.
//
// Left of the store nothing is kept in memory but what is in flight, whatever the number of
// problems.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/backend.h"
#include "harness/store.h"
#include "harness/task.h"
#include "harness/types.h"

namespace assay {

struct RunPlan {
  SearchPath search;
  std::vector<Task> tasks;
  uint64_t seed = 0;
  double limit = 0;  // problems of each task: 0 all, below 1 a fraction, else that many
};

// Live figures; written by the pipeline, read by the progress line. Sums are over samples graded in
// this process.
struct RunProgress {
  std::atomic<int64_t> planned{0};  // samples; grows until every task's rows are counted
  std::atomic<bool> planned_known{false};
  std::atomic<int64_t> stored_before{0};  // by an earlier process of the same run
  std::atomic<int64_t> stored{0};
  std::atomic<int64_t> failed{0};
  std::atomic<int64_t> ungraded{0};
  std::atomic<int64_t> truncated{0};
  // Of problems whose samples all landed in this process: count, and sums of their mean score and
  // its square.
  std::atomic<int64_t> problems_done{0};
  std::atomic<double> score_sum{0};
  std::atomic<double> score_square_sum{0};
};

struct PipelineOptions {
  int grading_threads = 0;            // 0: one fewer than the cores, at least one
  std::function<bool()> interrupted;  // asked often; true: stop cleanly
  int64_t most_problems = 0;          // > 0: ask for samples of so many in this process, no more
};

struct RunOutcome {
  bool interrupted = false;
  bool complete = false;  // every planned sample is stored and graded
  absl::Status
      error;  // what ended the run early: the backend's fatal error, a full disk, a bad row
  std::string ungraded_because;  // the first grading error, where any sample stayed ungraded
  int64_t samples_planned = 0;
};

// Whether the backend can answer what the plan's tasks ask; before a model is opened.
absl::Status CheckAnswerable(const RunPlan& plan, const Backend& backend);

// Manifests of the plan's tasks, before the run: all but prompt_hash and problems, which are known
// once every row was read.
absl::StatusOr<std::vector<TaskManifest>> PlanManifests(const RunPlan& plan);

// Asks `source` for every sample of `plan` that run `manifest.id` does not hold yet, and stores
// what comes back through `writer`, which it finishes. `manifest.tasks` gets prompt_hash and
// problems. Blocks. Errors are in the outcome: whatever landed is stored.
RunOutcome ExecuteRun(const RunPlan& plan, CompletionSource& source, Store& store,
                      RunWriter& writer, RunManifest* manifest, const PipelineOptions& options,
                      BackendCounters* counters, RunProgress* progress);

}  // namespace assay
