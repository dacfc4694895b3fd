// The metric `f1`: the mean of the grader `f1`'s bag-of-words F1.
#include "reports/measured.h"

namespace assay {

Metric F1Metric() {
  Metric metric;
  metric.name = "f1";
  metric.about = "DROP's bag-of-words F1 (Dua et al. 2019), the best over a problem's annotations";
  metric.compute = [](const MetricInput& input, const std::string& asked) {
    return MeanOfMeasure(input, asked, "f1", "f1");
  };
  return metric;
}

}  // namespace assay
