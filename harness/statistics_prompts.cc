// How much of a score is the prompt: the same problems under several templates.
#include <algorithm>
#include <cmath>

#include "harness/distributions.h"
#include "harness/random.h"
#include "harness/statistics.h"
#include "harness/status.h"

namespace assay {
namespace {

using Matrix = std::vector<std::vector<double>>;

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double Variance(const std::vector<double>& values) {
  const double mean = Mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return squares / static_cast<double>(values.size() - 1);
}

std::vector<double> ColumnMeans(const Matrix& scores) {
  std::vector<double> means(scores.front().size(), 0.0);
  for (const std::vector<double>& row : scores) {
    for (size_t i = 0; i < row.size(); ++i) means[i] += row[i];
  }
  for (double& mean : means) mean /= static_cast<double>(scores.size());
  return means;
}

// Mean square of what neither the problem nor the template explains: two-way layout, one value a
// cell.
double ResidualMeanSquare(const Matrix& scores, const std::vector<double>& column_means) {
  const double grand = Mean(column_means);
  double squares = 0;
  for (const std::vector<double>& row : scores) {
    const double row_mean = Mean(row);
    for (size_t i = 0; i < row.size(); ++i) {
      const double residual = row[i] - row_mean - column_means[i] + grand;
      squares += residual * residual;
    }
  }
  const auto problems = static_cast<double>(scores.size());
  const auto templates = static_cast<double>(column_means.size());
  return squares / ((problems - 1) * (templates - 1));
}

bool AllZeroOrOne(const Matrix& scores) {
  for (const std::vector<double>& row : scores) {
    for (const double score : row) {
      if (score != 0 && score != 1) return false;
    }
  }
  return true;
}

std::optional<double> CochranQ(const Matrix& scores) {
  const size_t templates = scores.front().size();
  std::vector<double> columns(templates, 0.0);
  double total = 0;
  double row_squares = 0;
  for (const std::vector<double>& row : scores) {
    double row_sum = 0;
    for (size_t i = 0; i < templates; ++i) {
      columns[i] += row[i];
      row_sum += row[i];
    }
    total += row_sum;
    row_squares += row_sum * row_sum;
  }
  const auto k = static_cast<double>(templates);
  const double denominator = k * total - row_squares;
  if (denominator == 0) return std::nullopt;
  double column_squares = 0;
  for (const double column : columns) column_squares += column * column;
  return (k - 1) * (k * column_squares - total * total) / denominator;
}

double PermutationP(Matrix scores, double observed, uint64_t seed, int permutations) {
  Xoshiro256 random(seed);
  int extreme = 0;
  for (int draw = 0; draw < permutations; ++draw) {
    for (std::vector<double>& row : scores) {
      for (size_t i = row.size(); i-- > 1;) std::swap(row[i], row[random.Below(i + 1)]);
    }
    if (Variance(ColumnMeans(scores)) >= observed - 1e-12) ++extreme;
  }
  return (extreme + 1.0) / (permutations + 1.0);
}

}  // namespace

PromptSensitivity ComparePrompts(const std::vector<std::vector<double>>& scores, uint64_t seed,
                                 int permutations) {
  CHECK(scores.size() > 1 && scores.front().size() > 1);
  for (const std::vector<double>& row : scores) CHECK(row.size() == scores.front().size());
  PromptSensitivity result;
  result.template_means = ColumnMeans(scores);
  const auto [smallest, largest] =
      std::minmax_element(result.template_means.begin(), result.template_means.end());
  result.spread = *largest - *smallest;
  if (AllZeroOrOne(scores)) result.cochran_q = CochranQ(scores);
  if (result.cochran_q) {
    result.p_cochran =
        ChiSquaredUpper(*result.cochran_q, static_cast<double>(result.template_means.size() - 1));
  }
  result.variance_observed = Variance(result.template_means);
  result.residual_mean_square = ResidualMeanSquare(scores, result.template_means);
  result.variance_component =
      std::max(0.0, result.variance_observed -
                        result.residual_mean_square / static_cast<double>(scores.size()));
  result.p_permutation = PermutationP(scores, result.variance_observed, seed, permutations);
  return result;
}

}  // namespace assay
