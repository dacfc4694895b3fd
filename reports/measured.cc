// Judged samples without the measure are a task with the wrong grader, not a mean of zeros.
#include "reports/measured.h"

#include "harness/status.h"

namespace assay {
namespace {

bool WasJudged(const SampleOutcome& sample) {
  return sample.outcome == Outcome::kCorrect || sample.outcome == Outcome::kIncorrect;
}

}  // namespace

absl::StatusOr<std::vector<NamedEstimate>> MeanOfMeasure(const MetricInput& input,
                                                         const std::string& asked,
                                                         std::string_view measure,
                                                         std::string_view grader) {
  bool measured = false;
  bool judged = false;
  const MeanSums means = MeansOverSamples(input, [&](const SampleOutcome& sample) {
    const std::optional<double> value = sample.Measure(measure);
    measured = measured || value.has_value();
    judged = judged || WasJudged(sample);
    return value.value_or(0);
  });
  if (judged && !measured) {
    return FailedPrecondition("%s: no verdict holds it; the task's grader should be '%s'", asked,
                              grader);
  }
  return OneMean(asked, means);
}

}  // namespace assay
