// The Metric plug: a .cc in reports/metrics/ that turns stored verdicts into estimates.
//
// reports/metrics/NAME.cc defines `Metric NameMetric()`. Nothing else is needed: CMake lists the
// folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/statistics.h"
#include "harness/types.h"

namespace assay {

struct SampleOutcome {
  int index = 0;
  Outcome outcome = Outcome::kUndecided;
  double score = 0;
  int answer_class = -1;  // answers that the grader calls the same share a class; -1: no answer
  int64_t reasoning_tokens = 0;
  int64_t answer_tokens = 0;
};

struct ProblemOutcomes {
  std::string id;
  std::string cluster;  // problems that are not independent share one; empty: its own
  std::vector<std::string> tags;
  std::vector<SampleOutcome>
      samples;  // those stored and graded, by index; fewer than planned where some are missing
};

struct MetricInput {
  std::vector<ProblemOutcomes> problems;
  int samples_planned = 1;  // per problem
  uint64_t seed = 0;        // for whatever is drawn at random
};

struct NamedEstimate {
  std::string name;  // "pass@1", "cons@16"
  Estimate estimate;
};

struct Metric {
  std::string name;   // "pass@k"; a task asks for "pass@k" or "pass@8": the family before '@' finds
                      // the metric
  std::string about;  // one sentence, with the formula's source
  bool higher_is_better = true;
  // `asked` is the name as the task wrote it. An error where the input cannot carry it (k > n).
  std::function<absl::StatusOr<std::vector<NamedEstimate>>(const MetricInput& input,
                                                           const std::string& asked)>
      compute;
};

}  // namespace assay
