// Intervals of a proportion, as Brown, Cai, DasGupta (2001) and Newcombe (1998) write them.
#include <algorithm>
#include <cmath>

#include "harness/distributions.h"
#include "harness/statistics.h"
#include "harness/status.h"

namespace assay {
namespace {

double TwoSidedZ(double level) { return NormalQuantile(0.5 + level / 2); }

void CheckCounts(double successes, double trials) {
  CHECK(trials > 0 && successes >= 0 && successes <= trials);
}

}  // namespace

Interval WilsonInterval(double successes, double trials, double level) {
  return WilsonIntervalAt(successes, trials, TwoSidedZ(level));
}

Interval WilsonIntervalAt(double successes, double trials, double quantile) {
  CheckCounts(successes, trials);
  const double z2 = quantile * quantile;
  const double p = successes / trials;
  const double center = (successes + z2 / 2) / (trials + z2);
  const double half = quantile / (trials + z2) * std::sqrt(trials * p * (1 - p) + z2 / 4);
  return {successes == 0 ? 0 : center - half, successes == trials ? 1 : center + half};
}

Interval WilsonContinuityInterval(double successes, double trials, double level) {
  CheckCounts(successes, trials);
  const double z = TwoSidedZ(level);
  const double z2 = z * z;
  const double p = successes / trials;
  const double scale = 2 * (trials + z2);
  const double spread = z2 - 1 / trials + 4 * trials * p * (1 - p);
  const double tilt = 4 * p - 2;
  const double low = (2 * successes + z2 - (z * std::sqrt(spread + tilt) + 1)) / scale;
  const double high = (2 * successes + z2 + (z * std::sqrt(spread - tilt) + 1)) / scale;
  return {successes == 0 ? 0 : std::max(0.0, low), successes == trials ? 1 : std::min(1.0, high)};
}

Interval ClopperPearsonInterval(double successes, double trials, double level) {
  CheckCounts(successes, trials);
  const double alpha = 1 - level;
  const double failures = trials - successes;
  return {successes == 0 ? 0 : BetaQuantile(alpha / 2, successes, failures + 1),
          failures == 0 ? 1 : BetaQuantile(1 - alpha / 2, successes + 1, failures)};
}

Interval JeffreysInterval(double successes, double trials, double level) {
  CheckCounts(successes, trials);
  const double alpha = 1 - level;
  const double failures = trials - successes;
  return {successes == 0 ? 0 : BetaQuantile(alpha / 2, successes + 0.5, failures + 0.5),
          failures == 0 ? 1 : BetaQuantile(1 - alpha / 2, successes + 0.5, failures + 0.5)};
}

Interval AgrestiCoullInterval(double successes, double trials, double level) {
  CheckCounts(successes, trials);
  const double z = TwoSidedZ(level);
  const double adjusted_trials = trials + z * z;
  const double p = (successes + z * z / 2) / adjusted_trials;
  const double half = z * std::sqrt(p * (1 - p) / adjusted_trials);
  return {p - half, p + half};
}

Interval WaldInterval(double successes, double trials, double level) {
  CheckCounts(successes, trials);
  const double p = successes / trials;
  const double half = TwoSidedZ(level) * std::sqrt(p * (1 - p) / trials);
  return {p - half, p + half};
}

Interval NewcombeInterval(int64_t successes1, int64_t trials1, int64_t successes2, int64_t trials2,
                          double level) {
  const auto x1 = static_cast<double>(successes1);
  const auto n1 = static_cast<double>(trials1);
  const auto x2 = static_cast<double>(successes2);
  const auto n2 = static_cast<double>(trials2);
  const Interval first = WilsonInterval(x1, n1, level);
  const Interval second = WilsonInterval(x2, n2, level);
  const double p1 = x1 / n1;
  const double p2 = x2 / n2;
  return {p1 - p2 - std::hypot(p1 - first.low, second.high - p2),
          p1 - p2 + std::hypot(first.high - p1, p2 - second.low)};
}

}  // namespace assay
