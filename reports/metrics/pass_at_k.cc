// The metric `pass@k`: at least one of k samples is right, estimated without bias from n samples.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

int64_t CountCorrect(const ProblemOutcomes& problem) {
  return std::count_if(problem.samples.begin(), problem.samples.end(),
                       [](const auto& sample) { return sample.outcome == Outcome::kCorrect; });
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  ASSIGN_OR_RETURN(const AskedMetric parsed, ParseAsked(asked));
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SubsetSizes(input, parsed));
  std::vector<NamedEstimate> estimates;
  for (const int64_t k : sizes) {
    // One by one keeps the scores between 0 and 1, and the spread of samples.
    const auto means = k == 1 ? MeansOverSamples(input, EarnedScore)
                              : ValuesOfProblems(input, [k](const ProblemOutcomes& problem) {
                                  return PassAtK(static_cast<int64_t>(problem.samples.size()),
                                                 CountCorrect(problem), k);
                                });
    estimates.push_back({absl::StrCat(parsed.family, k), MeanEstimate(means)});
  }
  return estimates;
}

}  // namespace

Metric PassAtKMetric() {
  Metric metric;
  metric.name = "pass@k";
  metric.about =
      "chance that one of k samples is right: 1 - C(n-c,k)/C(n,k), mean over problems (Chen et al. "
      "2021); alone: k = 1, 2, 4... up to n";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
