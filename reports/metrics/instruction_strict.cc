// The metric `instruction_strict` of IFEval: share of instructions followed, strictly.
#include "reports/following/instructions.h"

namespace assay {

Metric InstructionStrictMetric() {
  Metric metric;
  metric.name = "instruction_strict";
  metric.about =
      "IFEval (Zhou et al. 2023): share of instructions followed, "
      "as the reply stands";
  metric.compute = [](const MetricInput& input, const std::string& asked) {
    return InstructionsFollowed(input, "strict", asked);
  };
  return metric;
}

}  // namespace assay
