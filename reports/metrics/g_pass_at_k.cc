// The metric `g-pass@k`: at least a share tau of k samples is right (LiveMathBench, 2024).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

double AtLeast(const ProblemOutcomes& problem, int64_t k, Rational tau) {
  const int64_t correct =
      std::count_if(problem.samples.begin(), problem.samples.end(),
                    [](const auto& sample) { return sample.outcome == Outcome::kCorrect; });
  return GPassAtK(static_cast<int64_t>(problem.samples.size()), correct, k, tau);
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  ASSIGN_OR_RETURN(AskedMetric parsed, ParseAsked(asked));
  std::vector<std::string> thresholds = {"0.25", "0.5", "0.75", "1.0"};
  if (!parsed.rest.empty()) thresholds = {std::exchange(parsed.rest, "")};
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SubsetSizes(input, parsed));
  // Alone: the largest k, since each brings four thresholds.
  const int64_t k = sizes.back();
  std::vector<NamedEstimate> estimates;
  for (const std::string& threshold : thresholds) {
    ASSIGN_OR_RETURN(const Rational tau, ParseThreshold(threshold));
    const auto values = ValuesOfProblems(
        input, [k, tau](const ProblemOutcomes& problem) { return AtLeast(problem, k, tau); });
    estimates.push_back({absl::StrCat(parsed.family, k, "_", threshold), MeanEstimate(values)});
  }
  return estimates;
}

}  // namespace

Metric GPassAtKMetric() {
  Metric metric;
  metric.name = "g-pass@k";
  metric.about =
      "chance that at least a share of k samples is right (LiveMathBench 2024); g-pass@16_0.5 asks "
      "for one share, g-pass@16 for 0.25, 0.5, 0.75 and 1";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
