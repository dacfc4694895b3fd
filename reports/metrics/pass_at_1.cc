// The metric `pass@1`: the mean over samples, then over problems.
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {

Metric PassAt1Metric() {
  Metric metric;
  metric.name = "pass@1";
  metric.compute = [](const MetricInput&,
                      const std::string&) -> absl::StatusOr<std::vector<NamedEstimate>> {
    return absl::UnimplementedError("pass@1");
  };
  return metric;
}

}  // namespace assay
