// The metric `prompt_strict` of IFEval: share of replies that follow every instruction of their
// prompt, strictly.
#include "reports/following/instructions.h"

namespace assay {

Metric PromptStrictMetric() {
  Metric metric;
  metric.name = "prompt_strict";
  metric.about =
      "IFEval (Zhou et al. 2023): share of replies that follow every instruction of their prompt, "
      "as the reply stands";
  metric.compute = [](const MetricInput& input, const std::string& asked) {
    return PromptsFollowed(input, "strict", asked);
  };
  return metric;
}

}  // namespace assay
