// Grades a stored run again without a model: completions stay, verdicts are added, changes are
// told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/store.h"
#include "harness/types.h"

namespace assay {

struct VerdictChange {
  std::string task;
  std::string problem_id;
  int index = 0;
  bool was_graded = false;
  Verdict before;  // where was_graded
  Verdict after;
  std::string answer;
  std::string reference;
};

struct RegradeReport {
  int64_t samples = 0;
  int64_t newly_graded = 0;  // had no verdict yet
  int64_t failed = 0;        // the grader itself failed: kept as they were
  std::string failed_because;
  double score_before = 0;             // summed over samples that had a verdict
  double score_after = 0;              // over the same samples
  std::vector<VerdictChange> changes;  // outcome or score differ
};

struct RegradeOptions {
  std::string task;      // empty: all
  bool dry_run = false;  // compare only; nothing is written
  int threads = 0;       // 0: all cores
};

// Uses the extractor and grader named in the run's manifest, as this program has them now.
absl::StatusOr<RegradeReport> Regrade(Store& store, const RunManifest& manifest,
                                      const RegradeOptions& options);

}  // namespace assay
