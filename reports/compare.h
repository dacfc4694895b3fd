// Two runs side by side, problem by problem: differences with their intervals, tests, flips.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/outcomes.h"
#include "harness/store.h"
#include "reports/terminal.h"

namespace assay {

struct TaskComparison {
  std::string task;
  PairedTask paired;             // A - B on the problems that both have
  std::optional<Estimate> a, b;  // pass@1 of each on those problems; nothing without any
  OutcomeCounts counts_a, counts_b;
  double p_holm = 1;                 // paired.p, adjusted for the number of tasks compared
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

// For people; `flips`: how many problem ids of each kind are named per task.
std::string DescribeComparison(const Comparison& comparison, int flips, const Terminal& terminal);
Json ComparisonToJson(const Comparison& comparison);

}  // namespace assay
