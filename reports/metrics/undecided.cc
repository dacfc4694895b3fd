// The metric `undecided`: the share that the grader could not decide, and what that could hide.
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  const auto shares = MeansOverSamples(input, [](const SampleOutcome& sample) {
    return sample.outcome == Outcome::kUndecided ? 1 : 0;
  });
  if (shares.empty()) return FailedPrecondition("%s: no graded samples", asked);
  const auto right = MeansOverSamples(input, [](const SampleOutcome& sample) {
    return sample.outcome == Outcome::kUndecided ? 1 : EarnedScore(sample);
  });
  return std::vector<NamedEstimate>{{"undecided", MeanEstimate(shares)},
                                    {"accuracy_if_undecided_right", MeanEstimate(right)}};
}

}  // namespace

Metric UndecidedMetric() {
  Metric metric;
  metric.name = "undecided";
  metric.higher_is_better = false;
  metric.about =
      "share of samples that the grader could not decide, and accuracy if all of them were right";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
