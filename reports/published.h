// A run beside what was published for its model, and where it did otherwise than the recipe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/outcomes.h"
#include "harness/recipe.h"
#include "harness/task.h"

namespace assay {

struct PublishedLine {
  std::string task;
  std::string metric;
  std::string published;  // "79.8 (paper v1 table 4)"; every figure where publications disagree
  std::string here;       // "78.9 ± 6.9"
};

// For each estimate of a complete result whose task has published figures of `model`, in the
// results' order. Empty where the model has none.
std::vector<PublishedLine> PublishedLines(const std::vector<TaskResult>& results,
                                          std::string_view model);

struct TaskDeviations {
  std::string recipe;
  std::string task;
  std::vector<std::string> lines;  // empty: none that the manifest could tell
};
// For each task of the run that a recipe has a row for.
absl::StatusOr<std::vector<TaskDeviations>> RunDeviations(const SearchPath& path,
                                                          const RunManifest& run);

// Both as text for a terminal, each line ended; empty where there is nothing to tell.
std::string PublishedTextOf(const std::vector<PublishedLine>& lines);
std::string DeviationsText(const std::vector<TaskDeviations>& deviations);
Json PublishedToJson(const std::vector<PublishedLine>& lines);
Json DeviationsToJson(const std::vector<TaskDeviations>& deviations);

}  // namespace assay
