// The metric `pass^k`: all of k samples are right, estimated without bias from n samples.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

double AllRight(const ProblemOutcomes& problem, int64_t k) {
  const int64_t correct =
      std::count_if(problem.samples.begin(), problem.samples.end(),
                    [](const auto& sample) { return sample.outcome == Outcome::kCorrect; });
  return PassHatK(static_cast<int64_t>(problem.samples.size()), correct, k);
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  ASSIGN_OR_RETURN(const AskedMetric parsed, ParseAsked(asked));
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SubsetSizes(input, parsed));
  std::vector<NamedEstimate> estimates;
  for (const int64_t k : sizes) {
    const auto values = ValuesOfProblems(
        input, [k](const ProblemOutcomes& problem) { return AllRight(problem, k); });
    estimates.push_back({absl::StrCat(parsed.family, k), MeanEstimate(values)});
  }
  return estimates;
}

}  // namespace

Metric PassHatKMetric() {
  Metric metric;
  metric.name = "pass^k";
  metric.about =
      "chance that all of k samples are right: C(c,k)/C(n,k), mean over problems; alone: k = 1, 2, "
      "4... up to n";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
