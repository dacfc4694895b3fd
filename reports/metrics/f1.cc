// The metric `f1`: the mean of the grader `f1`'s bag-of-words F1.
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  bool measured = false;
  const std::vector<ProblemMean> means = MeansOverSamples(input, [&](const SampleOutcome& sample) {
    const std::optional<double> value = sample.Measure("f1");
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

Metric F1Metric() {
  Metric metric;
  metric.name = "f1";
  metric.about = "DROP's bag-of-words F1 (Dua et al. 2019), the best over a problem's annotations";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
