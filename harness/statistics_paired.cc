// Two runs on the same problems: paired tests, power, and p-values adjusted for several questions.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "harness/distributions.h"
#include "harness/random.h"
#include "harness/statistics.h"
#include "harness/status.h"

namespace assay {
namespace {

constexpr size_t kExactSignFlips = 20;
constexpr int kMonteCarloFlips = 20000;

struct Moments {
  double mean = 0;
  double variance = 0;  // n-1 form
};

Moments MomentsOf(std::span<const double> values) {
  Moments moments;
  const auto n = static_cast<double>(values.size());
  moments.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  for (const double value : values) {
    moments.variance += (value - moments.mean) * (value - moments.mean);
  }
  moments.variance = values.size() > 1 ? moments.variance / (n - 1) : 0;
  return moments;
}

std::optional<double> Correlation(std::span<const double> a, std::span<const double> b) {
  const Moments of_a = MomentsOf(a);
  const Moments of_b = MomentsOf(b);
  if (of_a.variance <= 0 || of_b.variance <= 0) return std::nullopt;
  double covariance = 0;
  for (size_t i = 0; i < a.size(); ++i) covariance += (a[i] - of_a.mean) * (b[i] - of_b.mean);
  covariance /= static_cast<double>(a.size() - 1);
  return covariance / std::sqrt(of_a.variance * of_b.variance);
}

// Sums that are equal up to rounding count as equally extreme.
bool AtLeastAsExtreme(double sum, double observed) {
  return std::abs(sum) >= std::abs(observed) - 1e-9 * std::max(1.0, std::abs(observed));
}

double ExactSignFlip(std::span<const double> differences, double observed) {
  // Gray code: each assignment of signs differs from the last in one place.
  double sum = std::accumulate(differences.begin(), differences.end(), 0.0);
  std::vector<double> signs(differences.size(), 1.0);
  const uint64_t assignments = uint64_t{1} << differences.size();
  uint64_t extreme = 0;
  for (uint64_t step = 1; step <= assignments; ++step) {
    if (AtLeastAsExtreme(sum, observed)) ++extreme;
    if (step == assignments) break;
    const auto flipped = static_cast<size_t>(std::countr_zero(step));
    sum -= 2 * signs[flipped] * differences[flipped];
    signs[flipped] = -signs[flipped];
  }
  return static_cast<double>(extreme) / static_cast<double>(assignments);
}

// Differences of one size are flipped together: means of a few samples take few sizes, and the
// number of them that stay positive is the number of ones among as many random bits.
struct EqualSizes {
  double size = 0;
  int count = 0;
};

std::vector<EqualSizes> GroupBySize(std::span<const double> differences) {
  std::vector<double> sizes;
  for (const double difference : differences) sizes.push_back(std::abs(difference));
  std::sort(sizes.begin(), sizes.end());
  std::vector<EqualSizes> groups;
  for (const double size : sizes) {
    if (groups.empty() || size - groups.back().size > 1e-12) groups.push_back({size, 0});
    ++groups.back().count;
  }
  return groups;
}

int CountRandomOnes(int bits, Xoshiro256* random) {
  int ones = 0;
  for (; bits >= 64; bits -= 64) ones += std::popcount(random->Next());
  if (bits > 0) ones += std::popcount(random->Next() >> (64 - bits));
  return ones;
}

double MonteCarloSignFlip(std::span<const double> differences, double observed, uint64_t seed) {
  const std::vector<EqualSizes> groups = GroupBySize(differences);
  Xoshiro256 random(seed);
  int extreme = 0;
  for (int draw = 0; draw < kMonteCarloFlips; ++draw) {
    double sum = 0;
    for (const EqualSizes& group : groups) {
      sum += group.size * (2 * CountRandomOnes(group.count, &random) - group.count);
    }
    if (AtLeastAsExtreme(sum, observed)) ++extreme;
  }
  // The observed assignment is one of those possible: p is never 0.
  return (extreme + 1.0) / (kMonteCarloFlips + 1.0);
}

void SignFlip(std::span<const double> differences, uint64_t seed, PairedComparison* result) {
  std::vector<double> moved;
  for (const double difference : differences) {
    if (difference != 0) moved.push_back(difference);
  }
  const double observed = std::accumulate(moved.begin(), moved.end(), 0.0);
  result->sign_flip_exact = moved.size() <= kExactSignFlips;
  result->p_sign_flip = result->sign_flip_exact ? ExactSignFlip(moved, observed)
                                                : MonteCarloSignFlip(moved, observed, seed);
}

// Binomial(n, 1/2) in long double, from the log of the first term needed.
long double HalfBinomialPmf(int64_t n, int64_t k) {
  long double log_term = -static_cast<long double>(n) * std::log(2.0L);
  for (int64_t i = 1; i <= k; ++i) {
    log_term += std::log(static_cast<long double>(n - i + 1) / static_cast<long double>(i));
  }
  return std::exp(log_term);
}

long double HalfBinomialCdf(int64_t n, int64_t k) {
  long double term = HalfBinomialPmf(n, k);
  long double sum = 0;
  for (int64_t i = k; i >= 0; --i) {
    sum += term;
    term *= static_cast<long double>(i) / static_cast<long double>(n - i + 1);
  }
  return sum;
}

double PowerQuantile(double alpha, double beta) {
  return NormalQuantile(1 - alpha / 2) + NormalQuantile(1 - beta);
}

double VarianceOfPair(const PairedVariance& variance) {
  return variance.omega2 + variance.sigma2_a / variance.samples_a +
         variance.sigma2_b / variance.samples_b;
}

std::vector<size_t> AscendingOrder(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  return order;
}

// Step-up: from the largest p downwards, each no larger than the one above it.
std::vector<double> StepUp(std::span<const double> p, double factor) {
  const std::vector<size_t> order = AscendingOrder(p);
  std::vector<double> adjusted(p.size());
  double smallest = 1;
  for (size_t rank = order.size(); rank-- > 0;) {
    const double scaled = p[order[rank]] * factor / static_cast<double>(rank + 1);
    smallest = std::min(smallest, scaled);
    adjusted[order[rank]] = smallest;
  }
  return adjusted;
}

}  // namespace

PairedComparison ComparePairs(std::span<const double> a, std::span<const double> b, uint64_t seed) {
  CHECK(a.size() == b.size() && !a.empty());
  PairedComparison result;
  const auto n = static_cast<double>(a.size());
  result.problems = static_cast<int64_t>(a.size());
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    // Means that are equal as fractions may differ in the last bit.
    const double difference = a[i] - b[i];
    differences[i] = std::abs(difference) < 1e-12 ? 0 : difference;
    ++(differences[i] > 0 ? result.wins : differences[i] < 0 ? result.losses : result.ties);
  }
  const Moments moments = MomentsOf(differences);
  result.mean_difference = moments.mean;
  result.se_paired = std::sqrt(moments.variance / n);
  result.se_unpaired = std::sqrt((MomentsOf(a).variance + MomentsOf(b).variance) / n);
  result.correlation = Correlation(a, b);
  SignFlip(differences, seed, &result);
  if (result.se_paired < 1e-14) {
    result.p_t = result.p_z = result.p_sign_flip;
    return result;
  }
  result.t = result.mean_difference / result.se_paired;
  result.p_t = 2 * StudentCdf(-std::abs(*result.t), n - 1);
  result.p_z = 2 * NormalCdf(-std::abs(*result.t));
  return result;
}

McNemarTest McNemar(int64_t b, int64_t c) {
  CHECK(b >= 0 && c >= 0);
  McNemarTest test;
  const int64_t n = b + c;
  if (n == 0) return test;
  const int64_t fewer = std::min(b, c);
  const long double pmf = HalfBinomialPmf(n, fewer);
  const long double cdf = HalfBinomialCdf(n, fewer);
  test.p_exact = static_cast<double>(std::min(1.0L, 2 * cdf));
  test.p_mid = static_cast<double>(b == c ? 1 - pmf : 2 * cdf - pmf);
  const auto gap = static_cast<double>(std::abs(b - c));
  const double corrected = std::max(0.0, gap - 1);
  test.chi2 = gap * gap / static_cast<double>(n);
  test.chi2_cc = corrected * corrected / static_cast<double>(n);
  test.p_chi2 = ChiSquaredUpper(*test.chi2, 1);
  test.p_chi2_cc = ChiSquaredUpper(*test.chi2_cc, 1);
  return test;
}

double ProblemsNeeded(const PairedVariance& variance, double difference, double alpha,
                      double beta) {
  CHECK(difference != 0);
  const double quantile = PowerQuantile(alpha, beta);
  return quantile * quantile * VarianceOfPair(variance) / (difference * difference);
}

double DetectableDifference(const PairedVariance& variance, int64_t problems, double alpha,
                            double beta) {
  CHECK(problems > 0);
  return PowerQuantile(alpha, beta) *
         std::sqrt(VarianceOfPair(variance) / static_cast<double>(problems));
}

std::vector<double> BonferroniAdjust(std::span<const double> p) {
  std::vector<double> adjusted;
  for (const double one : p) adjusted.push_back(std::min(1.0, one * static_cast<double>(p.size())));
  return adjusted;
}

std::vector<double> HolmAdjust(std::span<const double> p) {
  const std::vector<size_t> order = AscendingOrder(p);
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p[order[rank]] * static_cast<double>(p.size() - rank);
    largest = std::max(largest, std::min(1.0, scaled));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

std::vector<double> BenjaminiHochbergAdjust(std::span<const double> p) {
  return StepUp(p, static_cast<double>(p.size()));
}

std::vector<double> BenjaminiYekutieliAdjust(std::span<const double> p) {
  double harmonic = 0;
  for (size_t i = 1; i <= p.size(); ++i) harmonic += 1.0 / static_cast<double>(i);
  return StepUp(p, static_cast<double>(p.size()) * harmonic);
}

}  // namespace assay
