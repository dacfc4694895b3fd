// Two runs side by side, problem by problem: differences with their intervals, tests, flips.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/outcomes.h"
#include "harness/store.h"
#include "reports/table.h"
#include "reports/terminal.h"

namespace assay {

// Each run's verdict of a problem is that of most of its samples: mean score above one half.
struct MajorityTable {
  int64_t both_right = 0, only_a = 0, only_b = 0, both_wrong = 0;  // problems
  McNemarTest test;                                                // of only_a against only_b
};

struct TaskComparison {
  std::string task;
  PairedTask paired;             // B - A on the problems that both have
  std::optional<Estimate> a, b;  // pass@1 of each on those problems; nothing without any
  OutcomeCounts counts_a, counts_b;
  MajorityTable majority;
  double p_holm = 1;                 // paired.p, adjusted for all that was compared with it
  size_t questions = 1;              // how many that were, this one too: tasks times runs
  std::vector<std::string> differs;  // what makes the two incomparable, or nearly so
};

struct Comparison {
  RunSummary a, b;
  std::vector<TaskComparison> tasks;              // in A's order
  std::vector<std::string> only_in_a, only_in_b;  // tasks
};

// The runs may lie in two databases. `tasks` empty: all that both have; a task that either lacks is
// an error where it was named.
absl::StatusOr<Comparison> CompareRuns(Store& store_a, const RunSummary& a, Store& store_b,
                                       const RunSummary& b, const std::vector<std::string>& tasks);

// The same from outcomes that are loaded; p_holm is set by AdjustForTasks.
TaskComparison CompareTask(const LoadedOutcomes& in_a, const RunManifest& a,
                           const TaskManifest& task_a, const LoadedOutcomes& in_b,
                           const RunManifest& b, const TaskManifest& task_b);
// Holm over all of them together: as many questions as are asked.
void AdjustForTasks(const std::vector<TaskComparison*>& tasks);

const TaskManifest* FindTask(const RunManifest& run, std::string_view name);
// The same for a name that somebody gave; "" is the task of a run that has one. Else an error that
// lists what there is.
absl::StatusOr<const TaskManifest*> NamedTask(const RunManifest& run, const std::string& name);

// "B is better than A on math_500 by 8.1 points, 95 % interval [+3.0, +13.2], p = 0.002; on ... no
// difference can be seen". The letters are those of the two runs.
std::string VerdictSentence(const Comparison& comparison, std::string_view a, std::string_view b);
// What a reader must know before the numbers: what is not the same, missing, left out.
std::vector<std::string> ComparisonNotes(const Comparison& comparison, std::string_view a,
                                         std::string_view b);
std::string DifferenceTable(const Comparison& comparison, TableForm form);

// For people; `flips`: how many problem ids of each kind are named per task.
std::string DescribeComparison(const Comparison& comparison, int flips, const Terminal& terminal);
Json ComparisonToJson(const Comparison& comparison);

}  // namespace assay
