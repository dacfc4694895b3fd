// The metric `exact_match`: the mean of the grader `f1`'s exact match.
#include "reports/measured.h"

namespace assay {

Metric ExactMatchMetric() {
  Metric metric;
  metric.name = "exact_match";
  metric.about = "DROP's exact match (Dua et al. 2019), the best over a problem's annotations";
  metric.compute = [](const MetricInput& input, const std::string& asked) {
    return MeanOfMeasure(input, asked, "exact_match", "f1");
  };
  return metric;
}

}  // namespace assay
