// Means, ratios and differences over problems, and the only maker of an Estimate.
#include "harness/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "harness/distributions.h"
#include "harness/statistics_replicates.h"
#include "harness/status.h"

namespace assay {

class EstimateMaker {
 public:
  static Estimate Make(double value, double standard_error, Interval interval, double level,
                       int64_t problems, int64_t samples, std::string method) {
    Estimate estimate;
    estimate.value_ = value;
    estimate.standard_error_ = standard_error;
    estimate.low_ = interval.low;
    estimate.high_ = interval.high;
    estimate.level_ = level;
    estimate.problems_ = problems;
    estimate.samples_ = samples;
    estimate.method_ = std::move(method);
    return estimate;
  }
};

namespace {

double Square(double x) { return x * x; }

// Sums of squares of residuals, each by itself and summed within clusters first.
struct ResidualSums {
  int64_t clusters = 0;
  double alone = 0;
  double by_cluster = 0;
};

ResidualSums SumResiduals(std::span<const std::pair<double, int>> residuals) {
  ResidualSums sums;
  std::map<int, double> clusters;
  for (const auto& [residual, cluster] : residuals) {
    sums.alone += Square(residual);
    if (cluster >= 0) {
      clusters[cluster] += residual;
    } else {
      sums.by_cluster += Square(residual);
      ++sums.clusters;
    }
  }
  for (const auto& [cluster, sum] : clusters) sums.by_cluster += Square(sum);
  sums.clusters += static_cast<int64_t>(clusters.size());
  return sums;
}

// What decides an interval, whatever was averaged.
struct Spread {
  double value = 0;
  std::optional<double> standard_error;  // nothing where one unit alone says none
  int64_t units = 0;                     // problems, or clusters of them
  int64_t problems = 0;
  int64_t samples = 0;
  bool clustered = false;

  bool measured() const { return standard_error && *standard_error > 0; }
  std::string UnitNames() const {
    return absl::StrFormat("%d %s%s", units, clustered ? "cluster" : "problem",
                           units == 1 ? "" : "s");
  }
  std::string_view ErrorName() const { return clustered ? ", CR1" : ""; }
};

// The standard error of a sum of residuals over `scale`: CR1 where clusters join problems.
Spread MakeSpread(double value, const ResidualSums& sums, int64_t problems, double scale,
                  int64_t samples) {
  Spread spread;
  spread.value = value;
  spread.problems = problems;
  spread.clustered = sums.clusters < spread.problems;
  spread.units = sums.clusters;
  spread.samples = samples;
  if (spread.units > 1) {
    const auto units = static_cast<double>(spread.units);
    spread.standard_error = std::sqrt(sums.by_cluster * units / (units - 1)) / scale;
    // What is left of equal values after rounding is no spread.
    if (*spread.standard_error < 1e-14) spread.standard_error = 0;
  }
  return spread;
}

Spread MakeSpread(double value, std::span<const std::pair<double, int>> residuals, double scale,
                  int64_t samples) {
  return MakeSpread(value, SumResiduals(residuals), static_cast<int64_t>(residuals.size()), scale,
                    samples);
}

double TwoSidedT(double level, int64_t units) {
  return StudentQuantile(0.5 + level / 2, static_cast<double>(units - 1));
}

Interval AroundWithT(const Spread& spread, double level) {
  const double half = TwoSidedT(level, spread.units) * *spread.standard_error;
  return {spread.value - half, spread.value + half};
}

Estimate Finish(const Spread& spread, Interval interval, double level, std::string method) {
  double standard_error = spread.standard_error.value_or(0);
  if (!spread.measured()) {
    standard_error = (interval.high - interval.low) / 2 / NormalQuantile(0.5 + level / 2);
    method += "; error from the interval's width";
  }
  return EstimateMaker::Make(spread.value, standard_error, interval, level, spread.problems,
                             spread.samples, std::move(method));
}

Estimate WilsonOnUnits(const Spread& spread, double level) {
  const auto units = static_cast<double>(spread.units);
  std::string method = "Wilson on " + spread.UnitNames();
  return Finish(spread, WilsonInterval(spread.value * units, units, level), level,
                std::move(method));
}

Estimate BoundedEstimate(const Spread& spread, double level) {
  // One unit, or units all alike, cannot say how units differ: the widest that a mean in [0, 1]
  // allows is that of 0/1 values.
  if (!spread.measured()) return WilsonOnUnits(spread, level);
  const Interval around = AroundWithT(spread, level);
  if (around.low >= 0 && around.high <= 1) {
    return Finish(spread, around, level,
                  absl::StrFormat("t over %s, df %d%s", spread.UnitNames(), spread.units - 1,
                                  spread.ErrorName()));
  }
  const double variance = spread.value * (1 - spread.value);
  const double effective = std::min(variance / Square(*spread.standard_error),
                                    static_cast<double>(std::max(spread.samples, spread.problems)));
  return Finish(
      spread, WilsonIntervalAt(spread.value * effective, effective, TwoSidedT(level, spread.units)),
      level,
      absl::StrFormat("Wilson with t on an effective n of %.1f, %s%s: t alone leaves [0, 1]",
                      effective, spread.UnitNames(), spread.ErrorName()));
}

bool IsZeroOrOne(double value) { return value == 0 || value == 1; }

}  // namespace

// What the sums say, for the estimates below.
class MeanReader {
 public:
  explicit MeanReader(const MeanSums& sums) : sums_(sums) { CHECK(!sums.empty()); }

  double Count() const { return static_cast<double>(sums_.size()); }
  double Mean() const { return sums_.sum_ / Count(); }
  double MeanOfScores() const { return sums_.sum_of_scores_ / static_cast<double>(Samples()); }
  double SumOfVariances() const { return sums_.sum_of_variances_; }
  int64_t Samples() const { return sums_.samples_; }
  bool AllRepeated() const { return sums_.all_repeated_; }
  bool ZerosAndOnes() const { return sums_.zeros_and_ones_; }

  // Around the mean of all.
  ResidualSums Residuals() const {
    const double mean = sums_.problems_.mean;
    ResidualSums residuals;
    residuals.alone = sums_.problems_.squares;
    residuals.by_cluster = sums_.alone_.SquaresAround(mean);
    for (const auto& [number, cluster] : sums_.clusters_) {
      residuals.by_cluster += Square(static_cast<double>(cluster.count) * (cluster.mean - mean));
    }
    residuals.clusters = sums_.alone_.count + static_cast<int64_t>(sums_.clusters_.size());
    return residuals;
  }
  Spread SpreadOfMean() const {
    return MakeSpread(Mean(), Residuals(), sums_.size(), Count(), Samples());
  }

 private:
  const MeanSums& sums_;
};

void MeanSums::Running::Add(double value) {
  ++count;
  const double before = value - mean;
  mean += before / static_cast<double>(count);
  squares += before * (value - mean);
}

double MeanSums::Running::SquaresAround(double center) const {
  return squares + static_cast<double>(count) * Square(mean - center);
}

MeanSums::MeanSums(std::span<const ProblemMean> problems) {
  for (const ProblemMean& problem : problems) Add(problem);
}

void MeanSums::Add(const ProblemMean& problem) {
  problems_.Add(problem.mean);
  (problem.cluster >= 0 ? clusters_[problem.cluster] : alone_).Add(problem.mean);
  const auto samples = static_cast<double>(problem.samples);
  sum_ += problem.mean;
  sum_of_scores_ += problem.mean * samples;
  sum_of_variances_ += problem.variance / samples;
  samples_ += problem.samples;
  all_repeated_ = all_repeated_ && problem.samples > 1;
  zeros_and_ones_ = zeros_and_ones_ && IsZeroOrOne(problem.mean);
}

Json EstimateToJson(const Estimate& estimate) {
  return Json::MakeObject({{"value", estimate.value()},
                           {"standard_error", estimate.standard_error()},
                           {"low", estimate.low()},
                           {"high", estimate.high()},
                           {"level", estimate.level()},
                           {"problems", estimate.problems()},
                           {"samples", estimate.samples()},
                           {"method", estimate.method()}});
}

ProblemMean MeanOfSamples(std::span<const double> scores, int cluster) {
  CHECK(!scores.empty());
  ProblemMean problem;
  problem.samples = static_cast<int64_t>(scores.size());
  problem.cluster = cluster;
  for (const double score : scores) problem.mean += score;
  problem.mean /= static_cast<double>(scores.size());
  if (scores.size() > 1) {
    for (const double score : scores) problem.variance += Square(score - problem.mean);
    problem.variance /= static_cast<double>(scores.size() - 1);
  }
  return problem;
}

MeanParts TakeApart(const MeanSums& problems) {
  const MeanReader of(problems);
  MeanParts parts;
  parts.problems = problems.size();
  parts.samples = of.Samples();
  const double n = of.Count();
  parts.mean = of.Mean();
  const double within = of.SumOfVariances();
  const bool all_repeated = of.AllRepeated();
  parts.micro_mean = of.MeanOfScores();
  parts.se_naive =
      std::sqrt(parts.micro_mean * (1 - parts.micro_mean) / static_cast<double>(parts.samples));
  const ResidualSums sums = of.Residuals();
  parts.clusters = sums.clusters;
  parts.se_cluster_cr0 = std::sqrt(sums.by_cluster) / n;
  if (all_repeated) parts.se_sampling = std::sqrt(within) / n;
  if (all_repeated) parts.within_variance = within / n;
  if (parts.problems > 1) {
    parts.se_question = std::sqrt(sums.alone / (n * (n - 1)));
    // The cross terms may outweigh the rest by chance in tiny data.
    parts.se_cluster_miller = std::sqrt(
        std::max(0.0, sums.alone / (n * (n - 1)) + (sums.by_cluster - sums.alone) / Square(n)));
    if (all_repeated) parts.between_variance = sums.alone / (n - 1) - within / n;
  }
  if (parts.clusters > 1) {
    const auto clusters = static_cast<double>(parts.clusters);
    parts.se_cluster = parts.se_cluster_cr0 * std::sqrt(clusters / (clusters - 1));
  }
  return parts;
}

MeanParts TakeApart(std::span<const ProblemMean> problems) { return TakeApart(MeanSums(problems)); }

Estimate MeanEstimate(const MeanSums& problems, double level) {
  const MeanReader of(problems);
  const Spread spread = of.SpreadOfMean();
  if (of.ZerosAndOnes() && !spread.clustered) return WilsonOnUnits(spread, level);
  return BoundedEstimate(spread, level);
}

Estimate MeanEstimate(std::span<const ProblemMean> problems, double level) {
  return MeanEstimate(MeanSums(problems), level);
}

Estimate ProportionEstimate(int64_t successes, int64_t trials, double level) {
  CHECK(trials > 0 && successes >= 0 && successes <= trials);
  Spread spread;
  const auto n = static_cast<double>(trials);
  spread.value = static_cast<double>(successes) / n;
  spread.units = spread.problems = spread.samples = trials;
  if (trials > 1) spread.standard_error = std::sqrt(spread.value * (1 - spread.value) / (n - 1));
  return WilsonOnUnits(spread, level);
}

Estimate RatioEstimate(std::span<const RatioTerm> problems, double level) {
  double numerator = 0;
  double denominator = 0;
  bool single = true;
  for (const RatioTerm& term : problems) {
    numerator += term.numerator;
    denominator += term.denominator;
    single =
        single && (term.denominator == 0 || (term.denominator == 1 && IsZeroOrOne(term.numerator)));
  }
  CHECK(denominator > 0);
  const double ratio = numerator / denominator;
  std::vector<std::pair<double, int>> residuals;
  for (const RatioTerm& term : problems) {
    // A problem with no finished sample is no unit of this ratio.
    if (term.denominator == 0) continue;
    residuals.emplace_back(term.numerator - ratio * term.denominator, term.cluster);
  }
  const Spread spread =
      MakeSpread(ratio, residuals, denominator, static_cast<int64_t>(std::llround(denominator)));
  if (single && !spread.clustered) return WilsonOnUnits(spread, level);
  return BoundedEstimate(spread, level);
}

std::optional<Estimate> PositiveRatioEstimate(std::span<const RatioTerm> problems, int64_t samples,
                                              double level) {
  double numerator = 0;
  double denominator = 0;
  for (const RatioTerm& term : problems) {
    numerator += term.numerator;
    denominator += term.denominator;
  }
  if (!(numerator > 0 && denominator > 0)) return std::nullopt;
  const double ratio = numerator / denominator;
  std::vector<std::pair<double, int>> residuals;
  for (const RatioTerm& term : problems) {
    residuals.emplace_back(term.numerator - ratio * term.denominator, term.cluster);
  }
  const Spread spread = MakeSpread(ratio, residuals, denominator, samples);
  if (!spread.measured()) return std::nullopt;
  const double factor = std::exp(TwoSidedT(level, spread.units) * *spread.standard_error / ratio);
  return EstimateMaker::Make(ratio, *spread.standard_error, {ratio / factor, ratio * factor}, level,
                             spread.problems, samples,
                             absl::StrFormat("ratio of sums, log t over %s", spread.UnitNames()));
}

Estimate BootstrapEstimate(std::span<const ProblemMean> problems, int replicates, uint64_t seed,
                           double level) {
  const Spread spread = MeanReader(MeanSums(problems)).SpreadOfMean();
  if (!spread.measured()) return WilsonOnUnits(spread, level);
  const BootstrapResult result = BootstrapClusters(problems, replicates, seed, level);
  return EstimateMaker::Make(
      spread.value, result.standard_error, result.bca.value_or(result.percentile), level,
      spread.problems, spread.samples,
      absl::StrFormat("%s bootstrap over %s, %d replicates, seed %d",
                      result.bca ? "BCa" : "percentile", spread.UnitNames(), replicates, seed));
}

Estimate EstimateFromReplicates(double value, std::vector<double> replicates, int64_t problems,
                                int64_t samples, std::string method, double level) {
  CHECK(replicates.size() >= 2);
  double mean = 0, squares = 0;
  for (const double one : replicates) mean += one / static_cast<double>(replicates.size());
  for (const double one : replicates) squares += Square(one - mean);
  std::sort(replicates.begin(), replicates.end());
  const Interval interval = {QuantileOfSorted(replicates, (1 - level) / 2),
                             QuantileOfSorted(replicates, (1 + level) / 2)};
  return EstimateMaker::Make(value, std::sqrt(squares / static_cast<double>(replicates.size() - 1)),
                             interval, level, problems, samples, std::move(method));
}

Estimate DifferenceEstimate(std::span<const PairedDifference> differences, int64_t samples,
                            double level) {
  CHECK(!differences.empty());
  const auto n = static_cast<double>(differences.size());
  double gain = 0;
  double loss = 0;
  for (const PairedDifference& pair : differences) {
    (pair.difference > 0 ? gain : loss) += std::abs(pair.difference) / n;
  }
  const double mean = gain - loss;
  std::vector<std::pair<double, int>> residuals;
  residuals.reserve(differences.size());
  for (const PairedDifference& pair : differences) {
    residuals.emplace_back(pair.difference - mean, pair.cluster);
  }
  const Spread spread = MakeSpread(mean, residuals, n, samples);
  if (spread.measured()) {
    const Interval around = AroundWithT(spread, level);
    if (around.low >= -1 && around.high <= 1) {
      return Finish(spread, around, level,
                    absl::StrFormat("paired t over %s, df %d%s", spread.UnitNames(),
                                    spread.units - 1, spread.ErrorName()));
    }
  }
  // Differences all alike do not prove that the next is: Wilson bounds of gain and loss, combined.
  const auto units = static_cast<double>(spread.units);
  const Interval gains = WilsonInterval(std::min(gain, 1.0) * units, units, level);
  const Interval losses = WilsonInterval(std::min(loss, 1.0) * units, units, level);
  const Interval combined = {
      std::max(-1.0, mean - std::hypot(gain - gains.low, losses.high - loss)),
      std::min(1.0, mean + std::hypot(gains.high - gain, loss - losses.low))};
  return Finish(spread, combined, level, "Wilson bounds of gain and loss on " + spread.UnitNames());
}

}  // namespace assay
