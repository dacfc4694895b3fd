// Grades a stored run again without a model: completions stay, verdicts are added, changes are
// told; or only tells how the verdicts of two grader versions differ.
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
  int64_t limit = 0;     // > 0: only the first so many problems of each task
  bool dry_run = false;  // compare only; nothing is written
  bool missing = false;  // only samples without a verdict of this program's version of the grader
  int threads = 0;       // 0: all cores
};

// Verdicts are stored as they are made, every few seconds: what was graded before a kill need not
// be graded again (`missing`). Uses the extractor and grader named in the run's manifest, as this
// program has them now.
absl::StatusOr<RegradeReport> Regrade(Store& store, const RunManifest& manifest,
                                      const RegradeOptions& options);

// Two versions of the graders of a run. Of a sample that has no verdict of one of them nothing is
// said.
struct VersionPair {
  int before = 0;
  int after = 0;  // 0: this program, which grades the samples now
};

struct VersionReport {
  int64_t samples = 0;
  int64_t compared = 0;  // have both verdicts
  int64_t failed = 0;    // the grader itself failed
  std::string failed_because;
  double score_before = 0;  // summed over those that were compared
  double score_after = 0;
  std::vector<VerdictChange> changes;  // outcome or score differ
};

// Stores nothing. NotFound, with the versions that there are, where no sample has a verdict of one
// of the two.
absl::StatusOr<VersionReport> CompareVersions(Store& store, const RunManifest& manifest,
                                              const VersionPair& versions,
                                              const RegradeOptions& options);

}  // namespace assay
