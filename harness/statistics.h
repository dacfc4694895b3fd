// The statistics: every number with its interval. The only maker of an Estimate.
//
// Formulas and their oracles: tests/statistics_test.cc. All functions are pure and thread-safe;
// what is drawn at random is drawn by a seeded xoshiro256** (harness/random.h). The parts: means
// and their intervals here and in statistics.cc, then one section per file statistics_*.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/json.h"

namespace assay {

struct Interval {
  double low = 0;
  double high = 0;
};

// A value with its error. Only harness/statistics.cc builds one, so no number goes without its
// interval.
class Estimate {
 public:
  double value() const { return value_; }
  // How far the value would move with other problems of the same kind (and new samples). Never 0:
  // where the data show no spread it is what the interval's width implies.
  double standard_error() const { return standard_error_; }
  double low() const { return low_; }
  double high() const { return high_; }
  double level() const { return level_; }  // 0.95
  int64_t problems() const { return problems_; }
  int64_t samples() const { return samples_; }
  const std::string& method() const { return method_; }  // "mean over problems, t interval"

 private:
  friend class EstimateMaker;  // defined in statistics.cc
  Estimate() = default;
  double value_ = 0, standard_error_ = 0, low_ = 0, high_ = 0, level_ = 0.95;
  int64_t problems_ = 0, samples_ = 0;
  std::string method_;
};

// {"value", "standard_error", "low", "high", "level", "problems", "samples", "method"}.
Json EstimateToJson(const Estimate& estimate);

// ---------------------------------------------------------------------------------------------
// Means over problems (statistics.cc). Problems are the units: their samples are summed up first,
// so that 64 samples of one problem never count as 64 problems.

// What one problem's samples say. `cluster`: problems with the same number are not independent (one
// passage, one contest, translations of one text); below 0: a cluster of its own.
struct ProblemMean {
  double mean = 0;
  double variance = 0;  // of its samples' scores, n-1 form; 0 where there is one sample
  int64_t samples = 0;  // at least 1
  int cluster = -1;
};
ProblemMean MeanOfSamples(std::span<const double> scores, int cluster = -1);

// Means of problems, summed up as they come: what an estimate needs of them, in memory that grows
// with the number of clusters, not of problems. (Squares by Welford 1962: one pass, no
// cancellation.)
class MeanSums {
 public:
  MeanSums() = default;
  explicit MeanSums(std::span<const ProblemMean> problems);
  void Add(const ProblemMean& problem);
  bool empty() const { return problems_.count == 0; }
  int64_t size() const { return problems_.count; }  // problems

 private:
  friend class MeanReader;  // defined in statistics.cc
  struct Running {
    int64_t count = 0;
    double mean = 0;
    double squares = 0;  // of the distances from the mean
    void Add(double value);
    double SquaresAround(double center) const;
  };
  Running problems_;                 // all of them
  Running alone_;                    // those without a cluster
  std::map<int, Running> clusters_;  // by their number
  double sum_ = 0;                   // of the means
  double sum_of_scores_ = 0;
  double sum_of_variances_ = 0;  // of the means: each problem's variance / its samples
  int64_t samples_ = 0;
  bool all_repeated_ = true;  // every problem has two samples
  bool zeros_and_ones_ = true;
};

// Question and decoding variance apart. Every `se_*` is a standard error of `mean`.
struct MeanParts {
  int64_t problems = 0;
  int64_t samples = 0;
  int64_t clusters = 0;
  double mean = 0;                    // over problems (macro)
  double micro_mean = 0;              // over samples
  std::optional<double> se_question;  // sd of problem means / sqrt(n): other problems; n > 1
  // The same problems, new samples: would a re-run differ? Needs two samples of every problem.
  std::optional<double> se_sampling;
  double se_naive = 0;  // sqrt(p(1-p)/all samples): too small, for comparison only
  double se_cluster_cr0 = 0;
  std::optional<double> se_cluster;         // CR1: CR0 * sqrt(C/(C-1)); more than one cluster
  std::optional<double> se_cluster_miller;  // Miller 2024: the n-1 term plus cross terms
  // variance of problem means = between + within; between may be negative by chance (clip at 0).
  std::optional<double> between_variance;
  std::optional<double> within_variance;
};
// CHECKs that there is a problem.
MeanParts TakeApart(const MeanSums& problems);
MeanParts TakeApart(std::span<const ProblemMean> problems);

// The mean over problems of something in [0, 1], for a sample of problems:
//   - every problem's mean 0 or 1, no clusters: Wilson's interval on the number of problems;
//   - else Student's t on problem means (df n-1), or on CR1 clustered errors (df C-1);
//   - where that interval leaves [0, 1], or there is no spread to measure (one problem, all alike):
//     Wilson's interval, with t for z, on the effective number of problems p(1-p)/SE^2, or on the
//     number of problems (clusters) where SE is 0 or unknown. So all right, all wrong and n = 1
//     give honest widths, never 0.
// CHECKs that there is a problem.
Estimate MeanEstimate(const MeanSums& problems, double level = 0.95);
Estimate MeanEstimate(std::span<const ProblemMean> problems, double level = 0.95);

// successes out of trials, each trial a problem: Wilson.
Estimate ProportionEstimate(int64_t successes, int64_t trials, double level = 0.95);

// A ratio of sums over problems, such as right answers among finished samples: linearised standard
// error, clustered by problem, and the same interval rules. CHECKs that the denominator is not 0.
struct RatioTerm {
  double numerator = 0;
  double denominator = 0;
  int cluster = -1;
};
Estimate RatioEstimate(std::span<const RatioTerm> problems, double level = 0.95);

// A ratio of sums that has no upper end, such as tokens spent for each right answer: linearised
// standard error, clustered by problem; Student's t on the ratio's logarithm, so that the interval
// stays above 0. Nothing where no error can be told: a sum that is not above 0, a single problem
// (cluster), no spread. `samples` is what the estimate says of itself.
std::optional<Estimate> PositiveRatioEstimate(std::span<const RatioTerm> problems, int64_t samples,
                                              double level = 0.95);

// An estimate by seeded bootstrap over problems: the BCa interval (percentile where BCa has no
// value); no-spread data as in MeanEstimate.
Estimate BootstrapEstimate(std::span<const ProblemMean> problems, int replicates, uint64_t seed,
                           double level = 0.95);

// The mean of paired differences in [-1, 1]: t on differences (df n-1, or C-1 with clusters); where
// that leaves [-1, 1] or there is no spread: Wilson bounds of the mean gain and the mean loss,
// combined by squares (MOVER). `samples` counts both sides.
struct PairedDifference {
  double difference = 0;
  int cluster = -1;
};
Estimate DifferenceEstimate(std::span<const PairedDifference> differences, int64_t samples,
                            double level = 0.95);

// ---------------------------------------------------------------------------------------------
// Intervals of a proportion (statistics_intervals.cc). `successes` may be fractional (effective
// counts). Wilson, Clopper-Pearson and Jeffreys stay in [0, 1] and pin the end at 0 and at n.

Interval WilsonInterval(double successes, double trials, double level = 0.95);
// With the two-sided quantile given: Student's where the trials are an estimated, effective number.
Interval WilsonIntervalAt(double successes, double trials, double quantile);
Interval WilsonContinuityInterval(double successes, double trials, double level = 0.95);
Interval ClopperPearsonInterval(double successes, double trials, double level = 0.95);
Interval JeffreysInterval(double successes, double trials, double level = 0.95);
Interval AgrestiCoullInterval(double successes, double trials, double level = 0.95);  // unclipped
Interval WaldInterval(double successes, double trials, double level = 0.95);          // unclipped
// Difference of two independent proportions (Newcombe 1998, method 10: no continuity correction).
Interval NewcombeInterval(int64_t successes1, int64_t trials1, int64_t successes2, int64_t trials2,
                          double level = 0.95);

// ---------------------------------------------------------------------------------------------
// Several samples of one problem (statistics_samples.cc): expectations over all subsets of size k
// of the n samples drawn, without replacement; exact, no simulation. All CHECK 1 <= k <= n.

double PassAtK(int64_t n, int64_t correct, int64_t k);   // at least one of k is right
double PassHatK(int64_t n, int64_t correct, int64_t k);  // all k are right
struct Rational {
  int64_t numerator = 0;
  int64_t denominator = 1;
};
// "0.5", "1/2", "1": exact, since ceil(100 * 0.07) in floating point is 8. In (0, 1].
absl::StatusOr<Rational> ParseThreshold(std::string_view text);
// At least max(1, ceil(k * tau)) of k are right (LiveMathBench's G-Pass@k_tau).
double GPassAtK(int64_t n, int64_t correct, int64_t k, Rational tau);
// mG-Pass@k: 2/k * the sum of G-Pass over thresholds from ceil(k/2)+1 to k. CHECKs k >= 2.
double MeanGPassAtK(int64_t n, int64_t correct, int64_t k);

// Answers that are the same answer form a class; `score` is what the class earns if it wins.
struct VoteClass {
  int64_t votes = 0;
  double score = 0;
};
// Samples without an answer: they do not vote (a subset without any vote scores 0), or they vote as
// one wrong class.
enum class InvalidVotes { kDrop, kClass };
// cons@k, maj@k: the expected score of the plurality winner, a tie shared in equal parts. n is all
// votes and invalid ones together, at most kMaxVotes.
constexpr int64_t kMaxVotes = 1000;
double MajorityAtK(std::span<const VoteClass> classes, int64_t invalid, int64_t k,
                   InvalidVotes policy = InvalidVotes::kDrop);

// ---------------------------------------------------------------------------------------------
// Two runs on the same problems (statistics_paired.cc).

struct PairedComparison {
  int64_t problems = 0;
  double mean_difference = 0;  // a - b
  double se_paired = 0;
  double se_unpaired = 0;  // what ignoring the pairs would give
  std::optional<double> correlation;
  std::optional<double> t;  // nothing where the differences have no spread
  double p_t = 1;           // two-sided; the sign-flip p where there is no t
  double p_z = 1;
  double p_sign_flip = 1;  // exact up to 20 non-zero differences, else Monte Carlo
  bool sign_flip_exact = true;
  int64_t wins = 0;  // a > b
  int64_t losses = 0;
  int64_t ties = 0;
};
// a[i] and b[i] are problem i's means. CHECKs equal, non-zero lengths.
PairedComparison ComparePairs(std::span<const double> a, std::span<const double> b,
                              uint64_t seed = 0);

// For one 0/1 verdict per problem and run: b and c count the two kinds of disagreement.
struct McNemarTest {
  double p_exact = 1;
  double p_mid = 1;
  std::optional<double> chi2;     // nothing where b + c = 0
  std::optional<double> chi2_cc;  // max(0, |b-c|-1)^2 / (b+c)
  double p_chi2 = 1;
  double p_chi2_cc = 1;
};
McNemarTest McNemar(int64_t b, int64_t c);

// n = (z_{1-alpha/2} + z_{1-beta})^2 (omega^2 + sigma_a^2/K_a + sigma_b^2/K_b) / difference^2.
struct PairedVariance {
  double omega2 = 0;    // over problems, of the true difference
  double sigma2_a = 0;  // mean variance within a problem
  double sigma2_b = 0;
  double samples_a = 1;
  double samples_b = 1;
};
double ProblemsNeeded(const PairedVariance& variance, double difference, double alpha = 0.05,
                      double beta = 0.2);
double DetectableDifference(const PairedVariance& variance, int64_t problems, double alpha = 0.05,
                            double beta = 0.2);

// p-values adjusted for having asked several questions; in the order given, at most 1.
std::vector<double> BonferroniAdjust(std::span<const double> p);
std::vector<double> HolmAdjust(std::span<const double> p);
std::vector<double> BenjaminiHochbergAdjust(std::span<const double> p);
std::vector<double> BenjaminiYekutieliAdjust(std::span<const double> p);

// ---------------------------------------------------------------------------------------------
// Bootstrap (statistics_bootstrap.cc). Problems (or whole clusters) are resampled, never samples.

struct BootstrapResult {
  double value = 0;
  std::vector<double> replicates;  // in the order drawn
  double mean = 0;
  double standard_error = 0;
  Interval percentile;
  // Bias-corrected and accelerated; nothing where all replicates lie on one side or are equal.
  double bias_z0 = 0;
  double acceleration = 0;
  std::optional<Interval> bca_levels;
  std::optional<Interval> bca;
};
BootstrapResult BootstrapMean(std::span<const double> problem_means, int replicates, uint64_t seed,
                              double level = 0.95);
// Clusters are drawn with all their problems; the replicate is the mean over the problems drawn.
BootstrapResult BootstrapClusters(std::span<const ProblemMean> problems, int replicates,
                                  uint64_t seed, double level = 0.95);
// Linear interpolation between order statistics (type 7). `sorted` ascends and is not empty.
double QuantileOfSorted(std::span<const double> sorted, double p);

// ---------------------------------------------------------------------------------------------
// Token budgets (statistics_budget.cc).

struct BudgetSample {
  int64_t reasoning_tokens = 0;
  int64_t answer_tokens = 0;
  double score = 0;
  bool truncated = false;  // cut off at the cap: its length is only a lower bound
};
struct BudgetPoint {
  int64_t budget = 0;
  Estimate accuracy;          // a sample counts where it is right and fits: a lower bound for a
                              // model that knows its budget
  double standard_error = 0;  // sd of problem means / sqrt(n), as it is (may be 0)
  double cut_share = 0;       // samples that do not fit or were truncated
};
// Accuracy against budget without generating again. Each problem has a sample.
std::vector<BudgetPoint> BudgetCurve(const std::vector<std::vector<BudgetSample>>& problems,
                                     std::span<const int64_t> budgets, double level = 0.95);

// Lengths with truncation as right-censoring.
struct Observed {
  double length = 0;
  bool censored = false;
};
struct SurvivalPoint {
  double length = 0;
  double survival = 0;        // share that is longer (Kaplan-Meier)
  double standard_error = 0;  // Greenwood
  int64_t at_risk = 0;
  int64_t events = 0;
};
std::vector<SurvivalPoint> KaplanMeier(std::vector<Observed> lengths);
// The first length where survival is at most 1 - p; nothing where it never is (all beyond the cap).
std::optional<double> SurvivalQuantile(std::span<const SurvivalPoint> points, double p);

// ---------------------------------------------------------------------------------------------
// Prompt sensitivity (statistics_prompts.cc): the same problems under several templates.

struct PromptSensitivity {
  std::vector<double> template_means;
  double spread = 0;  // largest - smallest
  // Only for 0/1 scores; nothing where no problem tells templates apart.
  std::optional<double> cochran_q;
  std::optional<double> p_cochran;
  double p_permutation = 1;         // template labels shuffled within problems; for means, too
  double variance_observed = 0;     // of the template means
  double residual_mean_square = 0;  // problem x template interaction and noise
  double variance_component = 0;    // observed - residual/n, clipped at 0: sampling noise removed
};
// scores[problem][template], at least two of each; CHECKs that rows are equally long.
PromptSensitivity ComparePrompts(const std::vector<std::vector<double>>& scores, uint64_t seed = 0,
                                 int permutations = 10000);

}  // namespace assay
