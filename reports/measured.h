// The mean of a number that a grader leaves with its verdicts: what several metrics are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/metric.h"

namespace assay {

// The mean over problems of the mean over samples of the measure of that name (SampleOutcome::
// measures); a sample without it, truncated say, earns 0. `asked` names the estimate. An error
// where samples were judged and none holds the measure: the task's grader is not `grader`.
absl::StatusOr<std::vector<NamedEstimate>> MeanOfMeasure(const MetricInput& input,
                                                         const std::string& asked,
                                                         std::string_view measure,
                                                         std::string_view grader);

}  // namespace assay
