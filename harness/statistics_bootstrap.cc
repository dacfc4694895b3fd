// The bootstrap over problems: percentile and BCa (Efron 1987), replicates equal on every machine.
#include <algorithm>
#include <cmath>
#include <map>

#include "harness/distributions.h"
#include "harness/random.h"
#include "harness/statistics.h"
#include "harness/status.h"

namespace assay {
namespace {

// What is resampled as a whole: a problem, or a cluster of them.
struct Unit {
  double sum = 0;
  double count = 0;
};

double MeanOfUnits(std::span<const Unit> units) {
  Unit total;
  for (const Unit& unit : units) {
    total.sum += unit.sum;
    total.count += unit.count;
  }
  return total.sum / total.count;
}

// Replicates equal to the estimate may differ from it by the order of summation.
bool NearlyEqual(double a, double b) {
  return std::abs(a - b) <= 1e-12 * std::max(1.0, std::abs(b));
}

double BiasCorrection(std::span<const double> replicates, double value) {
  double below = 0;
  for (const double replicate : replicates) {
    if (NearlyEqual(replicate, value)) {
      below += 0.5;
    } else if (replicate < value) {
      below += 1;
    }
  }
  return NormalQuantile(below / static_cast<double>(replicates.size()));
}

double Acceleration(std::span<const Unit> units) {
  Unit total;
  for (const Unit& unit : units) {
    total.sum += unit.sum;
    total.count += unit.count;
  }
  std::vector<double> jackknife;
  double mean = 0;
  for (const Unit& unit : units) {
    jackknife.push_back((total.sum - unit.sum) / (total.count - unit.count));
    mean += jackknife.back() / static_cast<double>(units.size());
  }
  double squares = 0;
  double cubes = 0;
  for (const double value : jackknife) {
    squares += (mean - value) * (mean - value);
    cubes += (mean - value) * (mean - value) * (mean - value);
  }
  return squares == 0 ? 0 : cubes / (6 * std::pow(squares, 1.5));
}

void AddBca(std::span<const Unit> units, std::span<const double> sorted, double level,
            BootstrapResult* result) {
  result->bias_z0 = BiasCorrection(result->replicates, result->value);
  if (!std::isfinite(result->bias_z0) || units.size() < 2) return;
  result->acceleration = Acceleration(units);
  const auto adjusted = [&](double p) {
    const double shifted = result->bias_z0 + NormalQuantile(p);
    return NormalCdf(result->bias_z0 + shifted / (1 - result->acceleration * shifted));
  };
  const Interval levels = {adjusted(0.5 - level / 2), adjusted(0.5 + level / 2)};
  result->bca_levels = levels;
  result->bca = {QuantileOfSorted(sorted, levels.low), QuantileOfSorted(sorted, levels.high)};
}

BootstrapResult BootstrapUnits(std::span<const Unit> units, int replicates, uint64_t seed,
                               double level) {
  CHECK(!units.empty() && replicates > 1);
  BootstrapResult result;
  result.value = MeanOfUnits(units);
  Xoshiro256 random(seed);
  result.replicates.reserve(static_cast<size_t>(replicates));
  for (int i = 0; i < replicates; ++i) {
    Unit total;
    for (size_t draw = 0; draw < units.size(); ++draw) {
      const Unit& drawn = units[random.Below(units.size())];
      total.sum += drawn.sum;
      total.count += drawn.count;
    }
    result.replicates.push_back(total.sum / total.count);
  }
  for (const double replicate : result.replicates) result.mean += replicate;
  result.mean /= replicates;
  double squares = 0;
  for (const double replicate : result.replicates) {
    squares += (replicate - result.mean) * (replicate - result.mean);
  }
  result.standard_error = std::sqrt(squares / (replicates - 1));
  std::vector<double> sorted = result.replicates;
  std::sort(sorted.begin(), sorted.end());
  result.percentile = {QuantileOfSorted(sorted, 0.5 - level / 2),
                       QuantileOfSorted(sorted, 0.5 + level / 2)};
  AddBca(units, sorted, level, &result);
  return result;
}

}  // namespace

BootstrapResult BootstrapMean(std::span<const double> problem_means, int replicates, uint64_t seed,
                              double level) {
  std::vector<Unit> units;
  units.reserve(problem_means.size());
  for (const double mean : problem_means) units.push_back({mean, 1});
  return BootstrapUnits(units, replicates, seed, level);
}

BootstrapResult BootstrapClusters(std::span<const ProblemMean> problems, int replicates,
                                  uint64_t seed, double level) {
  std::vector<Unit> units;
  std::map<int, size_t> unit_of_cluster;
  for (const ProblemMean& problem : problems) {
    size_t index = units.size();
    if (problem.cluster >= 0) {
      index = unit_of_cluster.try_emplace(problem.cluster, units.size()).first->second;
    }
    if (index == units.size()) units.emplace_back();
    units[index].sum += problem.mean;
    units[index].count += 1;
  }
  return BootstrapUnits(units, replicates, seed, level);
}

double QuantileOfSorted(std::span<const double> sorted, double p) {
  CHECK(!sorted.empty());
  const double position = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(position));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(below);
  return sorted[below] + fraction * (sorted[above] - sorted[below]);
}

}  // namespace assay
