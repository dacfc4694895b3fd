// The Metric plug: a .cc in reports/metrics/ that turns stored verdicts into estimates.
//
// reports/metrics/NAME.cc defines `Metric NameMetric()`. Nothing else is needed: CMake lists the
// folder.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"
#include "harness/outcome_list.h"
#include "harness/statistics.h"
#include "harness/types.h"

namespace assay {

struct MetricInput {
  OutcomeList problems;        // read in a loop, as often as it takes
  int samples_planned = 1;     // per problem
  uint64_t seed = 0;           // for whatever is drawn at random
  bool answer_classes = true;  // false: not looked for, every answer_class is -1
};

struct NamedEstimate {
  std::string name;  // "pass@1", "cons@16"
  Estimate estimate;
};

struct Metric {
  std::string name;   // "pass@k": a task asks for "pass@k" or "pass@8"; "pass@1" is found before it
  std::string about;  // one sentence, with the formula's source
  bool higher_is_better = true;
  std::vector<std::string> aliases;   // "maj@k"
  bool needs_answer_classes = false;  // they cost grader calls
  // `asked` is the name as the task wrote it. An error where the input cannot carry it (k > n).
  std::function<absl::StatusOr<std::vector<NamedEstimate>>(const MetricInput& input,
                                                           const std::string& asked)>
      compute;
};

// ---- what metrics share (metric.cc); problems without a sample are passed over ----

// What a sample earns: its score, and 0 while it is undecided.
double EarnedScore(const SampleOutcome& sample);

// Each problem's mean of `value` over its samples, with its cluster: shown one by one, or summed
// up.
void ForEachMean(const MetricInput& input, const std::function<double(const SampleOutcome&)>& value,
                 const std::function<void(const ProblemOutcomes&, const ProblemMean&)>& visit);
MeanSums MeansOverSamples(const MetricInput& input,
                          const std::function<double(const SampleOutcome&)>& value);
// One value for each problem from all its samples, with its cluster.
MeanSums ValuesOfProblems(const MetricInput& input,
                          const std::function<double(const ProblemOutcomes&)>& value);
// Sums over each problem, for a ratio of sums.
std::vector<RatioTerm> RatioTerms(const MetricInput& input,
                                  const std::function<double(const SampleOutcome&)>& numerator,
                                  const std::function<double(const SampleOutcome&)>& denominator);

// MeanEstimate, or an error that says there is nothing to measure.
absl::StatusOr<std::vector<NamedEstimate>> OneMean(std::string name, const MeanSums& means);

// "g-pass@16_0.5": family "g-pass@", k 16, rest "0.5". "pass@k" has no k. Lower case. An error
// where k is no positive integer.
struct AskedMetric {
  std::string family;
  std::optional<int64_t> k;
  std::string rest;
};
absl::StatusOr<AskedMetric> ParseAsked(std::string_view asked);
// Whether so many samples of each problem can carry every metric; the error names the metric, its
// k and the samples. What can be known before anything is drawn.
absl::Status SamplesCarry(const std::vector<std::string>& metrics, int samples);
// The subset sizes asked for: k, or all powers of two up to the fewest samples of a problem. An
// error where `rest` is not empty, or k is more than a problem has, which it names.
absl::StatusOr<std::vector<int64_t>> SubsetSizes(const MetricInput& input,
                                                 const AskedMetric& asked);

}  // namespace assay
