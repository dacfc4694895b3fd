// From a completion to its verdict: the one place that decides what is searched for an answer and
// who judges it.
//
// Truncated completions are never searched and never judged: half a reasoning trace contains boxes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/extract.h"
#include "harness/grader.h"
#include "harness/json.h"
#include "harness/types.h"

namespace assay {

// A task's extractor and grader with their options bound. Thread-safe once built.
struct TaskGrading {
  std::string grader;
  int grader_version = 0;
  bool reads_whole_completion = false;
  BoundExtractor extract;
  BoundGrader bound;
};

absl::StatusOr<TaskGrading> BindGrading(std::string_view extractor, const Json& extract_options,
                                        std::string_view grader, const Json& grader_options);
inline absl::StatusOr<TaskGrading> BindGrading(const TaskManifest& task) {
  return BindGrading(task.extractor, task.extract_options, task.grader, task.grader_options);
}

// Fills in sample->extraction and sample->verdict from sample->completion. An error is ours, not
// the model's: the sample is to be kept ungraded.
absl::Status GradeSample(const TaskGrading& grading, const Problem& problem, Sample* sample);

}  // namespace assay
