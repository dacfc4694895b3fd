// The metric `exact_match`: the mean of the grader `f1`'s exact match.
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  bool measured = false;
  const std::vector<ProblemMean> means = MeansOverSamples(input, [&](const SampleOutcome& sample) {
    const std::optional<double> value = sample.Measure("exact_match");
    measured = measured || value.has_value();
    return value.value_or(0);
  });
  bool answered = false;
  for (const ProblemOutcomes& problem : input.problems) {
    for (const SampleOutcome& sample : problem.samples) {
      answered =
          answered || sample.outcome == Outcome::kCorrect || sample.outcome == Outcome::kIncorrect;
    }
  }
  if (answered && !measured) {
    return FailedPrecondition("%s: no verdict holds it; the task's grader should be 'f1'", asked);
  }
  return OneMean(asked, means);
}

}  // namespace

Metric ExactMatchMetric() {
  Metric metric;
  metric.name = "exact_match";
  metric.about = "DROP's exact match (Dua et al. 2019), the best over a problem's annotations";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
