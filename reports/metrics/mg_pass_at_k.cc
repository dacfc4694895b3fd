// The metric `mg-pass@k`: G-Pass averaged over the thresholds above one half (LiveMathBench, 2024).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

double MeanAboveHalf(const ProblemOutcomes& problem, int64_t k) {
  const int64_t correct =
      std::count_if(problem.samples.begin(), problem.samples.end(),
                    [](const auto& sample) { return sample.outcome == Outcome::kCorrect; });
  return MeanGPassAtK(static_cast<int64_t>(problem.samples.size()), correct, k);
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  ASSIGN_OR_RETURN(const AskedMetric parsed, ParseAsked(asked));
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SubsetSizes(input, parsed));
  const int64_t k = sizes.back();
  if (k < 2) return FailedPrecondition("%s: wants two samples of a problem at least", asked);
  const auto values = ValuesOfProblems(
      input, [k](const ProblemOutcomes& problem) { return MeanAboveHalf(problem, k); });
  return OneMean(absl::StrCat(parsed.family, k), values);
}

}  // namespace

Metric MgPassAtKMetric() {
  Metric metric;
  metric.name = "mg-pass@k";
  metric.about =
      "2/k times the sum of g-pass@k over thresholds from k/2+1 to k right samples (LiveMathBench "
      "2024)";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
