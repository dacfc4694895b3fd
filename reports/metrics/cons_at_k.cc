// The metric `cons@k`: the plurality answer of k samples is right, exactly, over all subsets.
#include <map>

#include "absl/strings/str_cat.h"
#include "harness/metric.h"
#include "harness/status.h"

namespace assay {
namespace {

struct Votes {
  std::vector<VoteClass> classes;
  int64_t invalid = 0;
};

// A class earns the mean of its samples' scores: all alike, unless grader and equality disagree.
Votes CountVotes(const ProblemOutcomes& problem) {
  Votes votes;
  std::map<int, VoteClass> classes;
  for (const SampleOutcome& sample : problem.samples) {
    if (sample.answer_class < 0) {
      ++votes.invalid;
      continue;
    }
    VoteClass& one = classes[sample.answer_class];
    ++one.votes;
    one.score += EarnedScore(sample);
  }
  for (const auto& [number, one] : classes) {
    votes.classes.push_back({one.votes, one.score / static_cast<double>(one.votes)});
  }
  return votes;
}

absl::Status CheckVotes(const MetricInput& input, const std::string& asked) {
  if (!input.answer_classes) {
    return FailedPrecondition("%s: answers were loaded without their classes", asked);
  }
  for (const ProblemOutcomes& problem : input.problems) {
    if (static_cast<int64_t>(problem.samples.size()) > kMaxVotes) {
      return FailedPrecondition("%s: problem '%s' has %d samples; votes are counted up to %d",
                                asked, problem.id, problem.samples.size(), kMaxVotes);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedEstimate>> Compute(const MetricInput& input,
                                                   const std::string& asked) {
  ASSIGN_OR_RETURN(const AskedMetric parsed, ParseAsked(asked));
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SubsetSizes(input, parsed));
  RETURN_IF_ERROR(CheckVotes(input, asked));
  std::vector<NamedEstimate> estimates;
  for (const int64_t k : sizes) {
    const auto values = ValuesOfProblems(input, [k](const ProblemOutcomes& problem) {
      const Votes votes = CountVotes(problem);
      return MajorityAtK(votes.classes, votes.invalid, k);
    });
    estimates.push_back({absl::StrCat(parsed.family, k), MeanEstimate(values)});
  }
  return estimates;
}

}  // namespace

Metric ConsAtKMetric() {
  Metric metric;
  metric.name = "cons@k";
  metric.aliases = {"maj@k"};
  metric.needs_answer_classes = true;
  metric.about =
      "chance that the most frequent answer of k samples is right, ties shared, exact over all "
      "subsets; answers that the grader calls the same vote together, samples without one do not";
  metric.compute = Compute;
  return metric;
}

}  // namespace assay
