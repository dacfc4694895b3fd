// The table that ends a run: per task its metrics with error and interval, truncated, undecided,
// missing.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/outcomes.h"
#include "harness/store.h"
#include "reports/table.h"

namespace assay {

enum class Partial { kRefuse, kLabelled };  // what to do about a headline over missing samples

// What its numbers are.
Unit UnitOf(const NamedEstimate& named);

// "ckpt-A (224 samples), ckpt-B (1 sample)".
std::string ServedModels(const std::map<std::string, int64_t>& served);

absl::StatusOr<std::vector<TaskResult>> LoadResults(Store& store, const RunSummary& run);

// Over missing or ungraded samples no value is shown, but the bounds between which it lies; with
// Partial::kLabelled the value over what is there too, marked "partial". Notes stand below the
// table.
std::string ResultTable(const std::vector<TaskResult>& results, Partial partial, TableForm form);

// {"run", "name", "state", "stopped_by", "tasks": [...]}: the same numbers, and the same refusal.
Json ResultsToJson(const RunSummary& run, const std::vector<TaskResult>& results, Partial partial);

}  // namespace assay
