// Each curve is a set of estimates; drawing is left to the page.
#include "reports/curves.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "absl/strings/str_format.h"
#include "harness/registry.h"
#include "harness/status.h"
#include "reports/table.h"

namespace assay {
namespace {

constexpr int kBudgets = 17;
constexpr int kLengthBins = 8;
constexpr int64_t kSamplesPerBin = 20;  // fewer say nothing of a bin
constexpr int kHistogramBins = 24;

int64_t Generated(const SampleOutcome& sample) {
  return sample.reasoning_tokens + sample.answer_tokens;
}

bool IsTruncated(const SampleOutcome& sample) { return sample.outcome == Outcome::kTruncated; }

void ForEachOutcome(const MetricInput& input,
                    const std::function<void(const SampleOutcome&)>& visit) {
  for (const ProblemOutcomes& problem : input.problems) {
    for (const SampleOutcome& sample : problem.samples) visit(sample);
  }
}

std::vector<CurvePoint> AgainstK(const MetricInput& input, const std::string& family,
                                 std::string* why_not) {
  std::vector<CurvePoint> points;
  const absl::StatusOr<const Metric*> metric = FindMetric(family + "@k");
  CHECK(metric.ok());  // a metric of ours
  const auto estimates = (*metric)->compute(input, family + "@k");
  if (!estimates.ok()) {
    if (why_not != nullptr) *why_not = std::string(estimates.status().message());
    return points;
  }
  for (const NamedEstimate& one : *estimates) {
    const absl::StatusOr<AskedMetric> asked = ParseAsked(one.name);
    if (asked.ok() && asked->k) points.push_back({*asked->k, one.estimate});
  }
  return points;
}

// --- lengths ---

class Lengths {
 public:
  explicit Lengths(const MetricInput& input) {
    ForEachOutcome(input, [&](const SampleOutcome& s) { thinks_ |= s.reasoning_tokens > 0; });
  }
  bool thinks() const { return thinks_; }
  int64_t Of(const SampleOutcome& s) const { return thinks_ ? s.reasoning_tokens : Generated(s); }

 private:
  bool thinks_ = false;
};

// Ends of bins that hold about as many samples each; equal lengths stay together.
std::vector<int64_t> BinEnds(std::vector<int64_t> lengths) {
  std::sort(lengths.begin(), lengths.end());
  const auto samples = static_cast<int64_t>(lengths.size());
  const int64_t bins = std::clamp<int64_t>(samples / kSamplesPerBin, 1, kLengthBins);
  std::vector<int64_t> ends;
  for (int64_t bin = 1; bin <= bins && samples > 0; ++bin) {
    const int64_t end = lengths[static_cast<size_t>(bin * samples / bins - 1)];
    if (ends.empty() || end > ends.back()) ends.push_back(end);
  }
  return ends;
}

std::vector<LengthBin> AccuracyByLength(const MetricInput& input, const Lengths& lengths) {
  std::vector<int64_t> finished;
  ForEachOutcome(input, [&](const SampleOutcome& sample) {
    if (!IsTruncated(sample)) finished.push_back(lengths.Of(sample));
  });
  if (finished.empty()) return {};
  std::vector<LengthBin> bins;
  int64_t from = *std::min_element(finished.begin(), finished.end());
  for (const int64_t end : BinEnds(finished)) {
    const auto inside = [&](const SampleOutcome& sample) {
      const int64_t length = lengths.Of(sample);
      return !IsTruncated(sample) && length >= from && length <= end;
    };
    const std::vector<RatioTerm> terms = RatioTerms(
        input, [&](const SampleOutcome& s) { return inside(s) ? EarnedScore(s) : 0.0; },
        [&](const SampleOutcome& s) { return inside(s) ? 1.0 : 0.0; });
    double samples = 0;
    for (const RatioTerm& term : terms) samples += term.denominator;
    bins.push_back({from, end, std::llround(samples), RatioEstimate(terms)});
    from = end + 1;
  }
  return bins;
}

std::optional<Estimate> MeanLength(const MetricInput& input, const Lengths& lengths, bool correct) {
  const auto counted = [&](const SampleOutcome& sample) {
    return !IsTruncated(sample) && (sample.outcome == Outcome::kCorrect) == correct;
  };
  std::vector<RatioTerm> terms = RatioTerms(
      input,
      [&](const SampleOutcome& s) { return counted(s) ? static_cast<double>(lengths.Of(s)) : 0.0; },
      [&](const SampleOutcome& s) { return counted(s) ? 1.0 : 0.0; });
  std::erase_if(terms, [](const RatioTerm& term) { return term.denominator == 0; });
  double samples = 0;
  for (const RatioTerm& term : terms) samples += term.denominator;
  return PositiveRatioEstimate(terms, std::llround(samples));
}

std::optional<double> MedianLength(const MetricInput& input, const Lengths& lengths) {
  std::vector<Observed> observed;
  ForEachOutcome(input, [&](const SampleOutcome& sample) {
    observed.push_back({static_cast<double>(lengths.Of(sample)), IsTruncated(sample)});
  });
  return SurvivalQuantile(KaplanMeier(std::move(observed)), 0.5);
}

// Bins of one width, up to the longest reply.
LengthHistogram CountLengths(const MetricInput& input, const Lengths& lengths) {
  int64_t longest = 0;
  ForEachOutcome(input,
                 [&](const SampleOutcome& s) { longest = std::max(longest, lengths.Of(s)); });
  LengthHistogram histogram;
  if (longest == 0) return histogram;
  const int64_t width = longest / kHistogramBins + 1;
  for (int64_t edge = 0; edge <= longest + width - 1; edge += width) {
    histogram.edges.push_back(edge);
  }
  if (histogram.edges.back() <= longest) histogram.edges.push_back(histogram.edges.back() + width);
  const size_t bins = histogram.edges.size() - 1;
  for (auto* counts : {&histogram.correct, &histogram.wrong, &histogram.truncated}) {
    counts->assign(bins, 0);
  }
  ForEachOutcome(input, [&](const SampleOutcome& sample) {
    auto& counts = IsTruncated(sample)                   ? histogram.truncated
                   : sample.outcome == Outcome::kCorrect ? histogram.correct
                                                         : histogram.wrong;
    ++counts[static_cast<size_t>(lengths.Of(sample) / width)];
  });
  return histogram;
}

// --- budgets ---

std::vector<int64_t> BudgetsUpTo(int64_t shortest, int64_t longest) {
  std::vector<int64_t> budgets;
  const double low = std::log(static_cast<double>(std::max<int64_t>(1, shortest)));
  const double high = std::log(static_cast<double>(std::max<int64_t>(2, longest)));
  for (int i = 0; i < kBudgets; ++i) {
    const auto budget =
        static_cast<int64_t>(std::ceil(std::exp(low + (high - low) * i / (kBudgets - 1)) - 1e-9));
    if (budgets.empty() || budget > budgets.back()) budgets.push_back(budget);
  }
  return budgets;
}

std::vector<std::vector<BudgetSample>> BudgetSamples(const MetricInput& input, bool cut_is_right,
                                                     int64_t cut_length) {
  std::vector<std::vector<BudgetSample>> problems;
  for (const ProblemOutcomes& problem : input.problems) {
    if (problem.samples.empty()) continue;
    std::vector<BudgetSample>& samples = problems.emplace_back();
    for (const SampleOutcome& sample : problem.samples) {
      const bool turned = cut_is_right && IsTruncated(sample);
      samples.push_back({turned ? cut_length : sample.reasoning_tokens,
                         turned ? 0 : sample.answer_tokens, turned ? 1 : EarnedScore(sample),
                         !turned && IsTruncated(sample)});
    }
  }
  return problems;
}

// The stored traces say what a cut at any budget up to the cap does. Beyond it, what the samples
// that ran into the cap would have become is not known: from all wrong to all right.
std::vector<BudgetCurvePoint> AgainstBudget(const MetricInput& input, std::optional<int64_t> cap) {
  int64_t shortest = INT64_MAX, longest = 0;
  int64_t truncated = 0;
  ForEachOutcome(input, [&](const SampleOutcome& sample) {
    shortest = std::min(shortest, Generated(sample));
    longest = std::max(longest, Generated(sample));
    truncated += IsTruncated(sample) ? 1 : 0;
  });
  if (longest == 0) return {};
  const int64_t known = std::max(longest, truncated > 0 ? cap.value_or(longest) : longest);
  std::vector<BudgetCurvePoint> points;
  for (BudgetPoint& point :
       BudgetCurve(BudgetSamples(input, false, 0), BudgetsUpTo(shortest, known))) {
    points.push_back({std::move(point), std::nullopt});
  }
  if (truncated == 0) return points;
  const std::vector<int64_t> beyond = {known + known / 4, known + known / 2, 2 * known};
  std::vector<BudgetPoint> low = BudgetCurve(BudgetSamples(input, false, 0), beyond);
  std::vector<BudgetPoint> high = BudgetCurve(BudgetSamples(input, true, known + 1), beyond);
  for (size_t i = 0; i < beyond.size(); ++i) {
    points.push_back({std::move(low[i]), high[i].accuracy});
  }
  return points;
}

std::optional<int64_t> CapOf(const TaskManifest& task) {
  return task.sampling.FindInteger("max_tokens");
}

std::optional<Estimate> TokensPerCorrect(const MetricInput& input, int64_t samples) {
  const std::vector<RatioTerm> terms = RatioTerms(
      input, [](const SampleOutcome& s) { return static_cast<double>(Generated(s)); },
      [](const SampleOutcome& s) { return s.outcome == Outcome::kCorrect ? 1.0 : 0.0; });
  return PositiveRatioEstimate(terms, samples);
}

// --- JSON ---

Json Shown(const Estimate& estimate, Unit unit) {
  Json json = EstimateToJson(estimate);
  json.Set("shown", FormatValue(estimate, unit));
  json.Set("interval", FormatInterval(estimate, unit));
  return json;
}

Json Counts(const std::vector<int64_t>& counts) {
  Json json = Json::MakeArray();
  for (const int64_t count : counts) json.Append(count);
  return json;
}

Json PointsToJson(const std::vector<CurvePoint>& points) {
  Json json = Json::MakeArray();
  for (const CurvePoint& point : points) {
    Json one = Shown(point.y, Unit::kShare);
    one.Set("k", point.x);
    json.Append(std::move(one));
  }
  return json;
}

void SetIfThere(std::string_view name, const std::optional<Estimate>& estimate, Json* json) {
  if (estimate) json->Set(name, Shown(*estimate, Unit::kCount));
}

Json LengthsToJson(const TaskCurves& curves) {
  Json json = Json::MakeObject({{"of", curves.thinks ? "thinking" : "reply"}});
  Json& bins = json.Set("accuracy", Json::MakeArray());
  for (const LengthBin& bin : curves.by_length) {
    Json one = Shown(bin.accuracy, Unit::kShare);
    one.Set("from", bin.from);
    one.Set("to", bin.to);
    one.Set("samples", bin.samples);
    bins.Append(std::move(one));
  }
  const LengthHistogram& histogram = curves.histogram;
  json.Set("histogram", Json::MakeObject({{"edges", Counts(histogram.edges)},
                                          {"correct", Counts(histogram.correct)},
                                          {"wrong", Counts(histogram.wrong)},
                                          {"truncated", Counts(histogram.truncated)}}));
  SetIfThere("mean_correct", curves.length_correct, &json);
  SetIfThere("mean_wrong", curves.length_wrong, &json);
  json.Set("median", curves.median_length ? Json(*curves.median_length) : Json());
  return json;
}

Json BudgetsToJson(const TaskCurves& curves) {
  Json json = Json::MakeArray();
  for (const BudgetCurvePoint& one : curves.budgets) {
    Json point = Shown(one.point.accuracy, Unit::kShare);
    point.Set("budget", one.point.budget);
    point.Set("cut_share", one.point.cut_share);
    point.Set("identified", !one.if_cut_right.has_value());
    if (one.if_cut_right) point.Set("if_cut_right", Shown(*one.if_cut_right, Unit::kShare));
    json.Append(std::move(point));
  }
  return json;
}

Json SpendingToJson(const TaskCurves& curves) {
  const Spending& spending = curves.spending;
  Json json =
      Json::MakeObject({{"samples", spending.samples},
                        {"prompt_tokens", spending.prompt_tokens},
                        {"reasoning_tokens", spending.reasoning_tokens},
                        {"answer_tokens", spending.answer_tokens},
                        {"samples_with_estimated_tokens", spending.estimated},
                        {"samples_with_cost", spending.with_cost},
                        {"cost_usd", spending.with_cost > 0 ? Json(spending.cost_usd) : Json()},
                        {"seconds", spending.seconds}});
  SetIfThere("tokens_per_correct", curves.tokens_per_correct, &json);
  if (curves.cost_per_correct) {
    // Fractions of a cent: digits after the point say nothing of a price.
    Json cost = EstimateToJson(*curves.cost_per_correct);
    cost.Set("shown", absl::StrFormat("%.3g ± %.2g", curves.cost_per_correct->value(),
                                      curves.cost_per_correct->standard_error()));
    json.Set("cost_per_correct", std::move(cost));
  }
  return json;
}

}  // namespace

TaskCurves ComputeCurves(const LoadedOutcomes& loaded, const TaskManifest& task,
                         const Spending& spending) {
  const MetricInput& input = loaded.input;
  TaskCurves curves;
  curves.spending = spending;
  curves.cap = CapOf(task);
  if (input.problems.empty()) {
    curves.no_consensus = "no sample is graded";
    return curves;
  }
  curves.pass_at_k = AgainstK(input, "pass", nullptr);
  if (input.answer_classes) {
    curves.cons_at_k = AgainstK(input, "cons", &curves.no_consensus);
  } else {
    curves.no_consensus = "answers were not compared with each other (--consensus does it)";
  }
  const Lengths lengths(input);
  curves.thinks = lengths.thinks();
  curves.by_length = AccuracyByLength(input, lengths);
  curves.length_correct = MeanLength(input, lengths, true);
  curves.length_wrong = MeanLength(input, lengths, false);
  curves.median_length = MedianLength(input, lengths);
  curves.histogram = CountLengths(input, lengths);
  curves.budgets = AgainstBudget(input, curves.cap);
  curves.tokens_per_correct = TokensPerCorrect(input, loaded.counts.graded);
  if (spending.with_cost > 0 && spending.with_cost == spending.samples) {
    curves.cost_per_correct = PositiveRatioEstimate(spending.cost_terms, spending.samples);
  }
  return curves;
}

Json CurvesToJson(const TaskCurves& curves) {
  Json json = Json::MakeObject(
      {{"pass@k", PointsToJson(curves.pass_at_k)}, {"cons@k", PointsToJson(curves.cons_at_k)}});
  if (!curves.no_consensus.empty()) json.Set("no_consensus", curves.no_consensus);
  json.Set("length", LengthsToJson(curves));
  json.Set("cap", curves.cap ? Json(*curves.cap) : Json());
  json.Set("budget", BudgetsToJson(curves));
  json.Set("spending", SpendingToJson(curves));
  return json;
}

}  // namespace assay
