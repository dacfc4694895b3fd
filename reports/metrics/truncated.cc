// The metric `truncated`: the share cut off at the token cap, and what that could hide.
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

double IsTruncated(const SampleOutcome& sample) {
  return sample.outcome == Outcome::kTruncated ? 1 : 0;
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  const MeanSums shares = MeansOverSamples(input, IsTruncated);
  if (shares.empty()) return FailedPrecondition("%s: no graded samples", asked);
  std::vector<NamedEstimate> estimates = {{"truncated", MeanEstimate(shares)}};
  // Easy problems finish: this is no accuracy of the whole, and stands between its bounds.
  const auto among_finished = RatioTerms(
      input,
      [](const SampleOutcome& sample) { return IsTruncated(sample) > 0 ? 0 : EarnedScore(sample); },
      [](const SampleOutcome& sample) { return 1 - IsTruncated(sample); });
  double finished = 0;
  for (const RatioTerm& term : among_finished) finished += term.denominator;
  if (finished > 0) {
    estimates.push_back({"accuracy_among_finished", RatioEstimate(among_finished)});
  }
  const auto wrong = MeansOverSamples(input, [](const SampleOutcome& sample) {
    return IsTruncated(sample) > 0 ? 0 : EarnedScore(sample);
  });
  const auto right = MeansOverSamples(input, [](const SampleOutcome& sample) {
    return IsTruncated(sample) > 0 ? 1 : EarnedScore(sample);
  });
  estimates.push_back({"accuracy_if_truncated_wrong", MeanEstimate(wrong)});
  estimates.push_back({"accuracy_if_truncated_right", MeanEstimate(right)});
  return estimates;
}

}  // namespace

Metric TruncatedMetric() {
  Metric metric;
  metric.name = "truncated";
  metric.higher_is_better = false;
  metric.about =
      "share of samples cut off at the token cap; accuracy among the finished (a biased "
      "selection), "
      "and accuracy with all truncated samples wrong, and right";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
