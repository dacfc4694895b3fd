// What metrics share: means over problems, and names such as "pass@8".
#include "harness/metric.h"

#include <algorithm>
#include <map>
#include <utility>

#include "harness/status.h"
#include "harness/text.h"

namespace assay {
namespace {

// Numbers for cluster names. Below 0: a problem by itself.
class ClusterNumbers {
 public:
  int Of(const ProblemOutcomes& problem) {
    if (problem.cluster.empty()) return -1;
    return numbers_.try_emplace(problem.cluster, static_cast<int>(numbers_.size())).first->second;
  }

 private:
  std::map<std::string, int> numbers_;
};

}  // namespace

double EarnedScore(const SampleOutcome& sample) {
  return sample.outcome == Outcome::kUndecided ? 0 : sample.score;
}

void ForEachMean(const MetricInput& input, const std::function<double(const SampleOutcome&)>& value,
                 const std::function<void(const ProblemOutcomes&, const ProblemMean&)>& visit) {
  ClusterNumbers clusters;
  std::vector<double> values;
  for (const ProblemOutcomes& problem : input.problems) {
    if (problem.samples.empty()) continue;
    values.clear();
    for (const SampleOutcome& sample : problem.samples) values.push_back(value(sample));
    visit(problem, MeanOfSamples(values, clusters.Of(problem)));
  }
}

MeanSums MeansOverSamples(const MetricInput& input,
                          const std::function<double(const SampleOutcome&)>& value) {
  MeanSums sums;
  ForEachMean(input, value,
              [&](const ProblemOutcomes&, const ProblemMean& mean) { sums.Add(mean); });
  return sums;
}

MeanSums ValuesOfProblems(const MetricInput& input,
                          const std::function<double(const ProblemOutcomes&)>& value) {
  MeanSums sums;
  ClusterNumbers clusters;
  for (const ProblemOutcomes& problem : input.problems) {
    if (problem.samples.empty()) continue;
    sums.Add(
        {value(problem), 0, static_cast<int64_t>(problem.samples.size()), clusters.Of(problem)});
  }
  return sums;
}

std::vector<RatioTerm> RatioTerms(const MetricInput& input,
                                  const std::function<double(const SampleOutcome&)>& numerator,
                                  const std::function<double(const SampleOutcome&)>& denominator) {
  std::vector<RatioTerm> terms;
  ClusterNumbers clusters;
  for (const ProblemOutcomes& problem : input.problems) {
    RatioTerm term;
    term.cluster = clusters.Of(problem);
    for (const SampleOutcome& sample : problem.samples) {
      term.numerator += numerator(sample);
      term.denominator += denominator(sample);
    }
    terms.push_back(term);
  }
  return terms;
}

absl::StatusOr<std::vector<NamedEstimate>> OneMean(std::string name, const MeanSums& means) {
  if (means.empty()) return FailedPrecondition("%s: no graded samples", name);
  return std::vector<NamedEstimate>{{std::move(name), MeanEstimate(means)}};
}

absl::StatusOr<AskedMetric> ParseAsked(std::string_view asked) {
  AskedMetric parsed;
  const std::string name = ToLowerAscii(asked);
  const size_t mark = name.find_first_of("@^");
  if (mark == name.npos) return AskedMetric{name, std::nullopt, ""};
  parsed.family = name.substr(0, mark + 1);
  const size_t end = std::min(name.find('_', mark), name.size());
  const std::string size = name.substr(mark + 1, end - mark - 1);
  if (end < name.size()) parsed.rest = name.substr(end + 1);
  if (size == "k") return parsed;
  parsed.k = ParseInt(size);
  if (!parsed.k || *parsed.k < 1) {
    return InvalidArgument("metric '%s': '%s' should be a positive number of samples, or k", asked,
                           size);
  }
  return parsed;
}

absl::Status SamplesCarry(const std::vector<std::string>& metrics, int samples) {
  for (const std::string& metric : metrics) {
    ASSIGN_OR_RETURN(const AskedMetric asked, ParseAsked(metric));
    if (asked.k.value_or(1) <= samples) continue;
    return InvalidArgument("metric '%s': k is %d, and only %d sample%s of each problem %s drawn",
                           metric, *asked.k, samples, samples == 1 ? "" : "s",
                           samples == 1 ? "is" : "are");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> SubsetSizes(const MetricInput& input,
                                                 const AskedMetric& asked) {
  if (!asked.rest.empty()) {
    return InvalidArgument("metric '%s': nothing may follow the number of samples, found '_%s'",
                           asked.family, asked.rest);
  }
  int64_t most = 0;
  std::string fewest;  // the problem that has no more
  for (const ProblemOutcomes& problem : input.problems) {
    const auto samples = static_cast<int64_t>(problem.samples.size());
    if (samples == 0 || (most > 0 && samples >= most)) continue;
    most = samples;
    fewest = problem.id;
  }
  if (most == 0) return FailedPrecondition("%sk: no graded samples", asked.family);
  if (asked.k && *asked.k > most) {
    return FailedPrecondition("%s%d: problem '%s' has %d graded sample%s", asked.family, *asked.k,
                              fewest, most, most == 1 ? "" : "s");
  }
  if (asked.k) return std::vector<int64_t>{*asked.k};
  std::vector<int64_t> sizes;
  for (int64_t k = 1; k <= most; k *= 2) sizes.push_back(k);
  return sizes;
}

}  // namespace assay
