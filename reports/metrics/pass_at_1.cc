// The metric `pass@1`: the mean over samples, then over problems.
#include "harness/metric.h"

namespace assay {

Metric PassAt1Metric() {
  Metric metric;
  metric.name = "pass@1";
  metric.about =
      "mean score over samples, then over problems; truncated, missing an answer and undecided "
      "count 0";
  metric.compute = [](const MetricInput& input, const std::string&) {
    return OneMean("pass@1", MeansOverSamples(input, EarnedScore));
  };
  return metric;
}

}  // namespace assay
