// The metric `instruction_loose` of IFEval: share of instructions followed, loosely.
#include "reports/following/instructions.h"

namespace assay {

Metric InstructionLooseMetric() {
  Metric metric;
  metric.name = "instruction_loose";
  metric.about =
      "IFEval (Zhou et al. 2023): share of instructions followed, "
      "in any of eight variants (first or last line left out, asterisks removed)";
  metric.compute = [](const MetricInput& input, const std::string& asked) {
    return InstructionsFollowed(input, "loose", asked);
  };
  return metric;
}

}  // namespace assay
