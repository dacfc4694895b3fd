// Token budgets without generating again: the hard-cut curve, and lengths with truncation censored.
#include <algorithm>
#include <cmath>

#include "harness/statistics.h"
#include "harness/status.h"

namespace assay {
namespace {

bool Fits(const BudgetSample& sample, int64_t budget) {
  return !sample.truncated && sample.reasoning_tokens + sample.answer_tokens <= budget;
}

BudgetPoint PointAt(const std::vector<std::vector<BudgetSample>>& problems, int64_t budget,
                    double level) {
  std::vector<ProblemMean> means;
  int64_t cut = 0;
  int64_t samples = 0;
  for (const std::vector<BudgetSample>& problem : problems) {
    std::vector<double> scores;
    for (const BudgetSample& sample : problem) {
      const bool fits = Fits(sample, budget);
      scores.push_back(fits ? sample.score : 0);
      cut += fits ? 0 : 1;
      ++samples;
    }
    means.push_back(MeanOfSamples(scores));
  }
  return {budget, MeanEstimate(means, level), TakeApart(means).se_question.value_or(0),
          static_cast<double>(cut) / static_cast<double>(samples)};
}

}  // namespace

std::vector<BudgetPoint> BudgetCurve(const std::vector<std::vector<BudgetSample>>& problems,
                                     std::span<const int64_t> budgets, double level) {
  std::vector<BudgetPoint> points;
  for (const int64_t budget : budgets) points.push_back(PointAt(problems, budget, level));
  return points;
}

std::vector<SurvivalPoint> KaplanMeier(std::vector<Observed> lengths) {
  std::sort(lengths.begin(), lengths.end(),
            [](const Observed& a, const Observed& b) { return a.length < b.length; });
  std::vector<SurvivalPoint> points;
  double survival = 1;
  double greenwood = 0;
  for (size_t begin = 0; begin < lengths.size();) {
    size_t end = begin;
    int64_t events = 0;
    for (; end < lengths.size() && lengths[end].length == lengths[begin].length; ++end) {
      events += lengths[end].censored ? 0 : 1;
    }
    // Who was censored at this very length was still at risk here.
    const auto at_risk = static_cast<double>(lengths.size() - begin);
    if (events > 0) {
      const auto ended = static_cast<double>(events);
      survival *= 1 - ended / at_risk;
      if (at_risk > ended) greenwood += ended / (at_risk * (at_risk - ended));
      points.push_back({lengths[begin].length, survival, survival * std::sqrt(greenwood),
                        static_cast<int64_t>(at_risk), events});
    }
    begin = end;
  }
  return points;
}

std::optional<double> SurvivalQuantile(std::span<const SurvivalPoint> points, double p) {
  for (const SurvivalPoint& point : points) {
    // A product that is 1 - p as a fraction may round above it.
    if (point.survival <= 1 - p + 1e-12) return point.length;
  }
  return std::nullopt;
}

}  // namespace assay
