// Two runs of one task, problem by problem, and what makes their numbers incomparable.
#include <algorithm>
#include <map>

#include "absl/strings/str_format.h"
#include "harness/distributions.h"
#include "harness/outcomes.h"
#include "harness/text.h"

namespace assay {
namespace {

// Fixed: a comparison gives the same p-value each time it is printed.
constexpr uint64_t kSignFlipSeed = 20260101;

struct Side {
  double mean = 0;
  int64_t samples = 0;
};

std::map<std::string, Side> ById(const MetricInput& input) {
  std::map<std::string, Side> sides;
  for (const ProblemOutcomes& problem : input.problems) {
    if (problem.samples.empty()) continue;
    double sum = 0;
    for (const SampleOutcome& sample : problem.samples) sum += EarnedScore(sample);
    const auto samples = static_cast<int64_t>(problem.samples.size());
    sides[problem.id] = {sum / static_cast<double>(samples), samples};
  }
  return sides;
}

// The p-value that belongs to the interval: the same t, the same degrees of freedom.
double PairedP(const std::vector<PairedDifference>& differences, const PairedComparison& plain) {
  std::vector<ProblemMean> means;
  for (const PairedDifference& pair : differences) {
    means.push_back({pair.difference, 0, 1, pair.cluster});
  }
  const MeanParts parts = TakeApart(means);
  if (parts.clusters == parts.problems) return plain.p_t;
  if (!parts.se_cluster || *parts.se_cluster == 0) return plain.p_sign_flip;
  return 2 * StudentCdf(-std::abs(parts.mean / *parts.se_cluster),
                        static_cast<double>(parts.clusters - 1));
}

void CountMajority(const std::string& id, double a, double b, PairedTask* result) {
  const bool a_right = a > 0.5, b_right = b > 0.5;
  if (a_right && !b_right) result->a_right_b_wrong.push_back(id);
  if (b_right && !a_right) result->b_right_a_wrong.push_back(id);
  result->both_right += a_right && b_right;
  result->both_wrong += !a_right && !b_right;
}

void Compare(std::string_view what, const std::string& a, const std::string& b,
             std::vector<std::string>* differences) {
  if (a == b) return;
  const auto shown = [](const std::string& text) {
    return text.empty() ? std::string("none") : Shorten(text, 60);
  };
  differences->push_back(absl::StrFormat("%s: %s against %s", what, shown(a), shown(b)));
}

void CompareHash(std::string_view what, const std::string& a, const std::string& b,
                 std::vector<std::string>* differences) {
  // A run that was interrupted has no hash yet; that says nothing of the prompts.
  if (a.empty() || b.empty()) {
    if (a != b) differences->push_back(absl::StrFormat("%s: not known for one of them", what));
    return;
  }
  Compare(what, a.substr(0, 12), b.substr(0, 12), differences);
}

std::string Options(const Json& options) {
  if (options.is_null() || options.size() == 0) return "";
  // Order of members is no difference.
  if (!options.is_object()) return options.Dump();
  Json::Members members = options.AsMembers();
  std::sort(members.begin(), members.end(),
            [](const Json::Member& x, const Json::Member& y) { return x.first < y.first; });
  std::string text;
  for (const Json::Member& member : members) {
    text += (text.empty() ? "" : ", ") + member.first + "=" + member.second.ToText();
  }
  return text;
}

void CompareSampling(const Json& a, const Json& b, std::vector<std::string>* differences) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  if (a.is_object()) {
    for (const Json::Member& member : a.AsMembers()) {
      values[member.first].first = member.second.ToText();
    }
  }
  if (b.is_object()) {
    for (const Json::Member& member : b.AsMembers()) {
      values[member.first].second = member.second.ToText();
    }
  }
  for (const auto& [name, value] : values) Compare(name, value.first, value.second, differences);
}

}  // namespace

PairedTask ComparePaired(const MetricInput& a, const MetricInput& b) {
  PairedTask result;
  const std::map<std::string, Side> of_a = ById(a);
  const std::map<std::string, Side> of_b = ById(b);
  std::vector<double> means_a;
  std::vector<double> means_b;
  std::vector<PairedDifference> differences;
  std::map<std::string, int> clusters;
  int64_t samples = 0;
  // In the order asked, so that lists of flips read as the dataset does.
  for (const ProblemOutcomes& problem : a.problems) {
    const auto in_a = of_a.find(problem.id);
    if (in_a == of_a.end()) continue;  // has no sample
    const auto in_b = of_b.find(problem.id);
    if (in_b == of_b.end()) {
      result.only_in_a.push_back(problem.id);
      continue;
    }
    means_a.push_back(in_a->second.mean);
    means_b.push_back(in_b->second.mean);
    samples += in_a->second.samples + in_b->second.samples;
    int cluster = -1;
    if (!problem.cluster.empty()) {
      cluster = clusters.emplace(problem.cluster, static_cast<int>(clusters.size())).first->second;
    }
    differences.push_back({means_b.back() - means_a.back(), cluster});
    const bool whole =
        in_a->second.samples >= a.samples_planned && in_b->second.samples >= b.samples_planned;
    if (whole) CountMajority(problem.id, means_a.back(), means_b.back(), &result);
  }
  for (const ProblemOutcomes& problem : b.problems) {
    if (!problem.samples.empty() && !of_a.contains(problem.id)) {
      result.only_in_b.push_back(problem.id);
    }
  }
  result.problems = static_cast<int64_t>(differences.size());
  if (differences.empty()) return result;
  result.comparison = ComparePairs(means_b, means_a, kSignFlipSeed);
  result.difference = DifferenceEstimate(differences, samples);
  result.p = PairedP(differences, result.comparison);
  result.detectable_difference =
      (NormalQuantile(0.975) + NormalQuantile(0.8)) * result.difference->standard_error();
  return result;
}

std::vector<std::string> WhatDiffers(const TaskManifest& a, const TaskManifest& b,
                                     const RunManifest& run_a, const RunManifest& run_b) {
  std::vector<std::string> differences;
  Compare("task", a.name, b.name, &differences);
  Compare("task version", a.version, b.version, &differences);
  CompareHash("dataset", a.dataset_sha256, b.dataset_sha256, &differences);
  Compare("problems", std::to_string(a.problems), std::to_string(b.problems), &differences);
  CompareHash("prompts", a.prompt_hash, b.prompt_hash, &differences);
  Compare("extractor", a.extractor, b.extractor, &differences);
  Compare("extractor options", Options(a.extract_options), Options(b.extract_options),
          &differences);
  Compare("grader", absl::StrFormat("%s version %d", a.grader, a.grader_version),
          absl::StrFormat("%s version %d", b.grader, b.grader_version), &differences);
  Compare("grader options", Options(a.grader_options), Options(b.grader_options), &differences);
  CompareSampling(a.sampling, b.sampling, &differences);
  Compare("samples per problem", std::to_string(a.samples_per_problem),
          std::to_string(b.samples_per_problem), &differences);
  // What the definition holds beyond all that (few-shot, tags, card) shows in the prompts or does
  // not matter; but a different definition with the same version deserves a word.
  if (differences.empty() && a.task_hash != b.task_hash) {
    differences.push_back("the task's definition: same version, different hash");
  }
  // Prompts are hashed in the order asked; a seed that orders choices shows there too.
  if (run_a.seed != run_b.seed && a.prompt_hash != b.prompt_hash) {
    Compare("seed", std::to_string(run_a.seed), std::to_string(run_b.seed), &differences);
  }
  return differences;
}

}  // namespace assay
