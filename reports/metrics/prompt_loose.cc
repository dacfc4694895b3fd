// The metric `prompt_loose` of IFEval: share of replies that follow every instruction of their
// prompt, loosely.
#include "reports/following/instructions.h"

namespace assay {

Metric PromptLooseMetric() {
  Metric metric;
  metric.name = "prompt_loose";
  metric.about =
      "IFEval (Zhou et al. 2023): share of replies that follow every instruction of their prompt, "
      "in any of eight variants (first or last line left out, asterisks removed)";
  metric.compute = [](const MetricInput& input, const std::string& asked) {
    return PromptsFollowed(input, "loose", asked);
  };
  return metric;
}

}  // namespace assay
